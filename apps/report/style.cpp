// The page's style sheet. Narrow text, wide tables that scroll by themselves, two colour schemes,
// and the eight line styles of the charts: their dashes differ, so greyscale print tells them apart.
#include "apps/report/sections.h"

namespace laclip {

std::string_view style_sheet() {
  return R"(
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1f2328; --soft: #5f6670; --rule: #e2dfd9; --raised: #f5f3ef;
  --c0: #4a5560; --c1: #0b62b8; --c2: #c2500a; --c3: #1a7f4b;
  --c4: #7b3fc4; --c5: #b01e6b; --c6: #0b7285; --c7: #8a6500;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e6e4df; --soft: #a0a6ae; --rule: #31353c; --raised: #1e2126;
    --c0: #b4bcc6; --c1: #6cb2ff; --c2: #ff9d5c; --c3: #5fd39a;
    --c4: #c19bff; --c5: #ff86bf; --c6: #5fd0e3; --c7: #e3bd4f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: clamp(1.5rem, 5vw, 4rem) clamp(1rem, 4vw, 3rem); max-width: 72rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1 { font-size: clamp(1.6rem, 5vw, 2.3rem); line-height: 1.2; letter-spacing: -.015em; margin: 0; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 1rem; letter-spacing: -.01em; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { max-width: 40rem; margin: 0 0 1rem; text-wrap: pretty; }
.summary { font-size: 1.15rem; line-height: 1.5; color: var(--soft); margin-top: .8rem; }
.note, small, footer { color: var(--soft); font-size: .875rem; }
section { margin-top: 3.5rem; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--rule); }

.scroll { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; overflow-wrap: normal; }
th, td { padding: .5rem .9rem; text-align: left; vertical-align: baseline; }
th:first-child, td:first-child { padding-left: 0; }
thead th { vertical-align: bottom; font-weight: 600; font-size: .875rem; line-height: 1.35; }
thead tr:last-child th { color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--ink); }
thead tr:first-child th[rowspan] { border-bottom: 1px solid var(--ink); }
th.data small { display: block; font-weight: 400; }
tbody tr { border-bottom: 1px solid var(--rule); }
tbody th { font-weight: 500; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
thead .number { white-space: normal; min-width: 6.5rem; }
thead .number[rowspan] { min-width: 0; }
tbody th, thead th[rowspan]:first-child { position: sticky; left: 0; background: var(--paper); }
th.data::after { content: ""; display: block; border-bottom: 1px solid var(--rule); margin-top: .4rem; }
.difference { display: inline-block; min-width: 3.2rem; }
.facts td { overflow-wrap: anywhere; }
.facts th { color: var(--soft); font-weight: 400; }
.facts th, .facts td { padding-block: .25rem; font-size: .875rem; }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 2rem 2.5rem; }
.charts figure { max-width: 32rem; }
.charts + details { margin-top: 1.5rem; }
figure { margin: 0; min-width: 0; break-inside: avoid; }
figcaption { font-size: .875rem; margin-bottom: .4rem; }
.charts figcaption { font-weight: 600; }
.bars { max-width: 32rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 12.5px; fill: var(--soft); }
svg text.name { fill: var(--ink); font-size: 13px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.bar { fill: var(--c1); }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
circle { fill: currentColor; }
.s0 { color: var(--c0); } .s1 { color: var(--c1); } .s2 { color: var(--c2); }
.s3 { color: var(--c3); } .s4 { color: var(--c4); } .s5 { color: var(--c5); }
.s6 { color: var(--c6); } .s7 { color: var(--c7); }
.s1 .line { stroke-dasharray: 8 3; } .s2 .line { stroke-dasharray: 2.5 2.5; }
.s3 .line { stroke-dasharray: 9 3 2 3; } .s4 .line { stroke-dasharray: 5 5; }
.s5 .line { stroke-dasharray: 14 4; } .s6 .line { stroke-dasharray: 9 2 2 2 2 2; }
.s7 .line { stroke-dasharray: 1.5 5; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; padding: 0;
  margin: 0 0 1.2rem; font-size: .9rem; }
.legend li { display: flex; align-items: center; gap: .5rem; }
.legend svg { width: 36px; flex: none; }

img { display: block; max-width: 100%; border-radius: 4px; background: var(--raised); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr));
  gap: 1.5rem 2rem; }
.card { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: 1rem; align-items: start;
  padding-top: 1.2rem; border-top: 1px solid var(--rule); break-inside: avoid; font-size: .925rem;
  line-height: 1.45; }
.card img { width: 100%; }
.original { font-weight: 600; margin: 0 0 .5rem; }
dl { margin: 0; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0 0 .4rem; }

.query { padding-top: .2rem; border-top: 1px solid var(--rule); margin-bottom: 1.5rem;
  break-inside: avoid; }
.query h3 { margin: 1rem 0 .6rem; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: .8rem 2.5rem; }
.side { color: var(--soft); font-size: .875rem; margin: 0 0 .3rem; }
.strip { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: .4rem;
  max-width: 42rem; }
.strip img { width: 100%; aspect-ratio: 1; object-fit: cover; }
.pictures { display: grid; gap: 1.2rem 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(6.2rem, 44%), 1fr)); }
.pictures img { width: 100%; max-width: 8rem; aspect-ratio: 1; object-fit: cover; }
.pictures figcaption { margin: .4rem 0 0; line-height: 1.35; }
.pictures small { display: block; }

details { border-top: 1px solid var(--rule); }
details:last-child { border-bottom: 1px solid var(--rule); }
summary { cursor: pointer; padding: .6rem 0; font-weight: 500; }
details[open] { padding-bottom: 1rem; }
pre { overflow-x: auto; white-space: pre-wrap; background: var(--raised); padding: .8rem 1rem;
  border-radius: 4px; margin: 0 0 1rem;
  font: .8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #ccc; --raised: #f4f4f4;
    --c0: #4a5560; --c1: #0b62b8; --c2: #c2500a; --c3: #1a7f4b;
    --c4: #7b3fc4; --c5: #b01e6b; --c6: #0b7285; --c7: #8a6500; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  section { margin-top: 2rem; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
}
)";
}

}  // namespace laclip
