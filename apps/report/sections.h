// The sections of the report. Each writes itself, or nothing if its input is not there.
#pragma once

#include <string>
#include <vector>

#include "apps/report/comparison.h"
#include "apps/report/html.h"
#include "data/sample_source.h"

namespace laclip {

struct ReportOptions {
  std::vector<std::string> runs, groups;
  std::string output = "report.html", title;

  std::vector<std::string> rewrites;  // captions before and after
  std::string train_data;
  SourceOptions source;
  size_t samples = 12;

  std::vector<std::string> queries;  // nearest images
  std::string query_file, pairs;

  std::string images, classnames, templates;  // predictions
  int64_t limit = 0;

  std::string tokenizer, precision = "fp32", timings;
  int threads = 2;
};

// One sentence or two, made of the figures.
std::string summary(const Comparison& comparison);

void results_section(Html& html, const std::vector<RunData>& runs, const Comparison& comparison);
void curves_section(Html& html, const Comparison& comparison);
void captions_section(Html& html, const ReportOptions& options);
void queries_section(Html& html, const std::vector<RunData>& runs, const ReportOptions& options);
void predictions_section(Html& html, const RunData& run, const ReportOptions& options);
void timings_section(Html& html, const std::string& file);
void manifests_section(Html& html, const std::vector<RunData>& runs);

// <section> with a heading.
template <class Body>
void section(Html& html, const std::string& heading, Body&& body) {
  html.nest("section", {}, [&] {
    html.element("h2", heading);
    body();
  });
}

// <details>, closed, with what is seen of it.
template <class Body>
void details(Html& html, const std::string& seen, Body&& body) {
  html.nest("details", {}, [&] {
    html.element("summary", seen);
    body();
  });
}

std::string_view style_sheet();

}  // namespace laclip
