#include "data/world/render.h"

#include <algorithm>
#include <cmath>

#include "data/world/shapes.h"

namespace laclip::world {
namespace {

struct Colour {
  float r, g, b;
};
Colour operator*(Colour c, float f) { return {c.r * f, c.g * f, c.b * f}; }
Colour mix(Colour a, Colour b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}
float luminance(Colour c) { return 0.3f * c.r + 0.59f * c.g + 0.11f * c.b; }

constexpr Colour kWhite{255, 255, 255};
constexpr Colour kColours[] = {  // in the order of the lexicon
    {215, 30, 35}, {245, 135, 20},  {250, 225, 40},  {40, 150, 50},
    {35, 70, 215}, {125, 45, 165},  {250, 140, 190}, {120, 70, 30},
    {22, 22, 24},  {246, 246, 246}, {135, 137, 140}, {60, 215, 220}};
constexpr Colour kBackgrounds[] = {{150, 195, 240}, {105, 165, 80}, {225, 200, 150},
                                   {25, 28, 62},    {168, 108, 88}, {228, 234, 242}};
enum Background { sky, grass, sand, night, wall, snow };

class Canvas {
 public:
  Canvas(const Scene& scene, int size)
      : scene_(scene),
        size_(size),
        pixel_(1.0f / float(size)),
        random_(scene.id.random(RandomUse::world_render)),
        pixels_(size_t(size) * size_t(size)) {}

  void draw_background();
  void draw_clutter();
  void draw(const Object& object);
  Image develop();

 private:
  // Calls body(pixel, x, y) for the pixels of a rectangle; coordinates in units of the side.
  template <class Body>
  void for_each(float x0, float y0, float x1, float y1, Body&& body) {
    const auto clip = [&](float v) {
      return std::clamp(int(std::floor(v * float(size_))), 0, size_ - 1);
    };
    for (int row = clip(y0); row <= clip(y1); ++row)
      for (int column = clip(x0); column <= clip(x1); ++column)
        body(pixels_[size_t(row) * size_t(size_) + size_t(column)], (float(column) + 0.5f) * pixel_,
             (float(row) + 0.5f) * pixel_);
  }
  // Braces fix the order of the draws, which the arguments of a call do not.
  Point anywhere() { return {random_.uniform(), random_.uniform()}; }
  void spot(Point centre, float radius, Colour colour, float strength);
  void line(Point a, Point b, float width, Colour colour, float strength);

  const Scene& scene_;
  int size_;
  float pixel_;
  Random random_;
  std::vector<Colour> pixels_;
};

void Canvas::spot(Point centre, float radius, Colour colour, float strength) {
  const auto [x, y] = centre;
  for_each(x - radius - pixel_, y - radius - pixel_, x + radius + pixel_, y + radius + pixel_,
           [&](Colour& pixel, float px, float py) {
             const float distance = std::hypot(px - centre.x, py - centre.y) - radius;
             const float cover = std::clamp(0.5f - distance / pixel_, 0.0f, 1.0f);
             pixel = mix(pixel, colour, cover * strength);
           });
}

void Canvas::line(Point a, Point b, float width, Colour colour, float strength) {
  const float ex = b.x - a.x, ey = b.y - a.y, length = std::max(ex * ex + ey * ey, 1e-6f);
  for_each(std::min(a.x, b.x) - width, std::min(a.y, b.y) - width, std::max(a.x, b.x) + width,
           std::max(a.y, b.y) + width, [&](Colour& pixel, float px, float py) {
             const float t = std::clamp(((px - a.x) * ex + (py - a.y) * ey) / length, 0.0f, 1.0f);
             const float distance = std::hypot(px - a.x - t * ex, py - a.y - t * ey) - width;
             pixel =
                 mix(pixel, colour, std::clamp(0.5f - distance / pixel_, 0.0f, 1.0f) * strength);
           });
}

void Canvas::draw_background() {
  const int kind = scene_.background;
  const Colour tone = kBackgrounds[kind] * random_.uniform(0.9f, 1.08f);
  const Colour base = mix(tone, {128, 128, 128}, random_.uniform(0.0f, 0.12f));
  const float fall = kind == sky || kind == night ? random_.uniform(0.1f, 0.3f) : 0.0f;
  for_each(0, 0, 1, 1, [&](Colour& pixel, float, float y) { pixel = mix(base, kWhite, fall * y); });
  const auto scatter = [&](int count, float radius, float strength, Colour colour) {
    for (int i = 0; i < count; ++i) {
      const Point centre = anywhere();
      spot(centre, radius * random_.uniform(0.5f, 1.3f), colour, strength);
    }
  };
  if (kind == sky) scatter(4, 0.16f, 0.14f, kWhite);
  if (kind == night) scatter(22, 0.008f, 0.9f, {240, 240, 210});
  if (kind == snow) scatter(14, 0.05f, 0.5f, {200, 212, 230});
  if (kind == sand) scatter(60, 0.012f, 0.5f, {170, 140, 90});
  if (kind == grass)
    for (int i = 0; i < 45; ++i) {
      const Point foot = anywhere();
      const Colour blade = i % 2 ? Colour{60, 120, 45} : Colour{150, 200, 100};
      line(foot, {foot.x + random_.uniform(-0.02f, 0.02f), foot.y - 0.06f}, 0.007f, blade, 0.6f);
    }
  if (kind == wall)
    for (int row = 0; row < 8; ++row) {
      const float y = float(row) / 8;
      line({0, y}, {1, y}, 0.008f, {205, 180, 165}, 0.7f);
      for (int brick = 0; brick < 4; ++brick) {
        const float x = (float(brick) + (row % 2 ? 0.5f : 0.0f)) / 4;
        line({x, y}, {x, y + 0.125f}, 0.008f, {205, 180, 165}, 0.7f);
      }
    }
}

// Thin lines and specks, which are no kind.
void Canvas::draw_clutter() {
  const auto colour = [&] {
    return Colour{random_.uniform(60, 200), random_.uniform(60, 200), random_.uniform(60, 200)};
  };
  for (uint32_t lines = random_.below(4); lines > 0; --lines) {
    const Point from = anywhere();
    const Point to{from.x + random_.uniform(-0.5f, 0.5f), from.y + random_.uniform(-0.5f, 0.5f)};
    line(from, to, 0.006f, colour(), 0.45f);
  }
  for (uint32_t specks = random_.below(7); specks > 0; --specks) {
    const Point centre = anywhere();
    const float radius = random_.uniform(0.01f, 0.022f);
    spot(centre, radius, colour(), 0.6f);
  }
}

// 1 where the texture shows its second tone; coordinates in units of the object's radius, `cell` is
// the pattern's period.
float pattern(int texture, Point p, float cell, float softness) {
  const auto wave = [&](float v) { return std::abs(v / cell - std::floor(v / cell) - 0.5f) * 2; };
  const auto edge = [&](float v) { return std::clamp(0.5f + v * cell / softness / 2, 0.0f, 1.0f); };
  switch (texture) {
    case striped:
      return edge(wave(p.x * 0.35f + p.y * 0.94f) - 0.5f);
    case dotted: {
      const float dx = wave(p.x + 0.25f * cell), dy = wave(p.y + 0.25f * cell);
      return edge(0.62f - std::hypot(dx, dy));
    }
    case checked: {
      const float x = wave(p.x) - 0.5f, y = wave(p.y) - 0.5f;
      return edge(std::min(std::abs(x), std::abs(y)) * (x * y > 0 ? 1.0f : -1.0f));
    }
    default:
      return 0;
  }
}

void Canvas::draw(const Object& object) {
  const float radius = object.radius * random_.uniform(0.95f, 1.05f);
  const float angle = random_.uniform(-0.18f, 0.18f), c = std::cos(angle), s = std::sin(angle);
  const Colour tint{random_.uniform(0, 255), random_.uniform(0, 255), random_.uniform(0, 255)};
  const Colour base = mix(kColours[object.colour], tint, random_.uniform(0.0f, 0.08f));
  const bool bright = luminance(base) > 60;
  const Colour rim = bright ? base * 0.4f : mix(base, kWhite, 0.55f);
  const Colour second = luminance(base) > 150 ? base * 0.55f : mix(base, kWhite, 0.62f);
  const float unit = pixel_ / radius;  // a pixel in units of the radius
  const float rim_width = std::max(0.09f, 0.8f * unit);
  const float cell = std::max(0.6f, 4.2f * unit);
  const float reach = 1.25f * radius + pixel_;
  for_each(object.x - reach, object.y - reach, object.x + reach, object.y + reach,
           [&](Colour& pixel, float x, float y) {
             const float dx = (x - object.x) / radius, dy = (y - object.y) / radius;
             const Point p{c * dx + s * dy, c * dy - s * dx};
             const float distance = outline_distance(object.kind, p);
             const float cover = std::clamp(0.5f - distance / unit, 0.0f, 1.0f);
             if (cover <= 0) return;
             Colour colour = mix(base, second, pattern(object.texture, p, cell, unit));
             const float detail = detail_distance(object.kind, p);
             colour = mix(colour, rim, std::clamp(0.5f - detail / unit, 0.0f, 1.0f));
             colour =
                 mix(colour, rim, std::clamp(0.5f + (distance + rim_width) / unit, 0.0f, 1.0f));
             pixel = mix(pixel, colour, cover);
           });
}

Image Canvas::develop() {
  const float angle = random_.uniform(0, 6.2831853f), slope = random_.uniform(0.0f, 0.35f);
  const float level = random_.uniform(0.85f, 1.08f), noise = random_.uniform(1.0f, 5.0f);
  const float gx = slope * std::cos(angle), gy = slope * std::sin(angle);
  Image image{size_, size_, std::vector<uint8_t>(pixels_.size() * 3)};
  size_t at = 0;
  // Four bytes of one draw add up to a bell curve: mean 510, standard deviation 147.8.
  const auto develop_one = [&](float value, float light) {
    const uint32_t bits = random_.bits();
    const auto sum = float((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24));
    const float noisy = value * light + noise * (sum - 510) / 147.8f;
    image.rgb[at++] = uint8_t(std::clamp(noisy + 0.5f, 0.0f, 255.0f));
  };
  for_each(0, 0, 1, 1, [&](Colour& pixel, float x, float y) {
    const float light = level * (1 + gx * (x - 0.5f) + gy * (y - 0.5f));
    develop_one(pixel.r, light);
    develop_one(pixel.g, light);
    develop_one(pixel.b, light);
  });
  return image;
}

}  // namespace

Image render(const Scene& scene, int size) {
  Canvas canvas(scene, size);
  canvas.draw_background();
  canvas.draw_clutter();
  // The relation `inside` puts the first object on top of the second.
  for (size_t i = scene.objects.size(); i-- > 0;) canvas.draw(scene.objects[i]);
  return canvas.develop();
}

}  // namespace laclip::world
