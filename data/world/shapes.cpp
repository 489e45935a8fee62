#include "data/world/shapes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace laclip::world {
namespace {

using Polygon = std::vector<Point>;

float disc(Point p, Point c, float r) { return std::hypot(p.x - c.x, p.y - c.y) - r; }

float box(Point p, Point c, float half_x, float half_y) {
  const float dx = std::abs(p.x - c.x) - half_x, dy = std::abs(p.y - c.y) - half_y;
  return std::hypot(std::max(dx, 0.0f), std::max(dy, 0.0f)) + std::min(std::max(dx, dy), 0.0f);
}

float squared_distance(Point p, Point a, Point b) {
  const float ex = b.x - a.x, ey = b.y - a.y, px = p.x - a.x, py = p.y - a.y;
  const float t = std::clamp((px * ex + py * ey) / (ex * ex + ey * ey), 0.0f, 1.0f);
  const float dx = px - t * ex, dy = py - t * ey;
  return dx * dx + dy * dy;
}

float capsule(Point p, Point a, Point b, float r) {
  return std::sqrt(squared_distance(p, a, b)) - r;
}

// The distance to the nearest edge; inside by the even-odd rule.
float polygon(Point p, const Polygon& corners) {
  float nearest = 1e9f;
  bool inside = false;
  for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i], b = corners[j];
    nearest = std::min(nearest, squared_distance(p, a, b));
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x)
      inside = !inside;
  }
  return std::sqrt(nearest) * (inside ? -1.0f : 1.0f);
}

float ring(Point p, Point c, float r, float half) { return std::abs(disc(p, c, r)) - half; }

template <class... Distances>
float join(Distances... distances) {
  return std::min({distances...});
}

constexpr float kPi = 3.14159265f;

// Corners on a curve r(angle), the first one at the top, clockwise.
template <class Radius>
Polygon around(int corners, Radius&& radius) {
  Polygon result;
  for (int i = 0; i < corners; ++i) {
    const float angle = 2 * kPi * float(i) / float(corners);
    const float r = radius(i);
    result.push_back({r * std::sin(angle), -r * std::cos(angle)});
  }
  return result;
}

Polygon heart_curve() {
  Polygon result;
  for (int i = 0; i < 32; ++i) {
    const float t = 2 * kPi * float(i) / 32, s = std::sin(t);
    result.push_back(
        {16 * s * s * s / 17,
         -(13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t)) / 16 -
             0.08f});
  }
  return result;
}

const Polygon kTriangle{{0, -0.95f}, {0.98f, 0.8f}, {-0.98f, 0.8f}};
const Polygon kStar = around(10, [](int i) { return i % 2 ? 0.42f : 1.05f; });
const Polygon kHeart = heart_curve();
const Polygon kArrowHead{{0.05f, -0.75f}, {1, 0}, {0.05f, 0.75f}};
const Polygon kRoof{{-1, -0.05f}, {0, -1}, {1, -0.05f}};
const Polygon kTreeTop{{0, -1}, {0.62f, -0.1f}, {-0.62f, -0.1f}};
const Polygon kTreeBottom{{0, -0.55f}, {0.85f, 0.6f}, {-0.85f, 0.6f}};
const Polygon kTail{{0.3f, 0}, {1, -0.6f}, {0.85f, 0}, {1, 0.6f}};
const Polygon kHull{{-1, 0.4f}, {1, 0.4f}, {0.6f, 0.9f}, {-0.6f, 0.9f}};
const Polygon kMainSail{{0.08f, -1}, {0.8f, 0.25f}, {0.08f, 0.25f}};
const Polygon kForeSail{{-0.12f, -0.75f}, {-0.12f, 0.25f}, {-0.7f, 0.25f}};
const Polygon kCup{{-0.85f, -0.7f}, {0.4f, -0.7f}, {0.28f, 0.8f}, {-0.73f, 0.8f}};
const Polygon kBell{{-0.18f, -0.85f}, {0.18f, -0.85f}, {0.5f, -0.55f}, {0.6f, 0.15f},
                    {0.95f, 0.6f},    {-0.95f, 0.6f},  {-0.6f, 0.15f}, {-0.5f, -0.55f}};
const Polygon kBolt{{0.35f, -1}, {-0.65f, 0.15f}, {-0.08f, 0.15f},
                    {-0.35f, 1}, {0.65f, -0.25f}, {0.08f, -0.25f}};
const Polygon kDiamond{{0, -1}, {0.68f, 0}, {0, 1}, {-0.68f, 0}};
const Polygon kHexagon = around(6, [](int) { return 1.0f; });

float fish_body(Point p) {
  return std::max(disc(p, {-0.25f, 0.45f}, 0.95f), disc(p, {-0.25f, -0.45f}, 0.95f));
}

float flower(Point p) {
  float distance = disc(p, {0, 0}, 0.4f);
  for (int i = 0; i < 5; ++i) {
    const float angle = 2 * kPi * float(i) / 5;
    distance = std::min(distance, disc(p, {0.6f * std::sin(angle), -0.6f * std::cos(angle)}, 0.4f));
  }
  return distance;
}

float umbrella(Point p) {
  float canopy = std::max(disc(p, {0, 0.05f}, 1.0f), p.y - 0.05f);
  for (float x : {-0.66f, 0.0f, 0.66f}) canopy = std::max(canopy, -disc(p, {x, 0.12f}, 0.3f));
  const float hook = std::max(ring(p, {0.2f, 0.75f}, 0.2f, 0.09f), 0.72f - p.y);
  return join(canopy, capsule(p, {0, -0.1f}, {0, 0.75f}, 0.09f), hook);
}

float leaf(Point p) {
  const float u = (p.x + p.y) * 0.7071f, v = (p.x - p.y) * 0.7071f;  // along v, across u
  const Point q{u, v};
  return join(std::max(disc(q, {-0.55f, 0.12f}, 1.08f), disc(q, {0.55f, 0.12f}, 1.08f)),
              capsule(q, {0, -0.6f}, {0, -1.15f}, 0.08f));
}

}  // namespace

float outline_distance(int kind, Point p) {
  switch (kind) {
    case 0:  // circle
      return disc(p, {0, 0}, 0.92f);
    case 1:  // square
      return box(p, {0, 0}, 0.82f, 0.82f);
    case 2:
      return polygon(p, kTriangle);
    case 3:
      return polygon(p, kStar);
    case 4:
      return polygon(p, kHeart);
    case 5:  // cross
      return join(box(p, {0, 0}, 0.3f, 0.95f), box(p, {0, 0}, 0.95f, 0.3f));
    case 6:
      return ring(p, {0, 0}, 0.7f, 0.26f);
    case 7:  // crescent
      return std::max(disc(p, {0, 0}, 0.98f), -disc(p, {0.5f, -0.1f}, 0.78f));
    case 8:  // arrow
      return join(box(p, {-0.4f, 0}, 0.58f, 0.24f), polygon(p, kArrowHead));
    case 9:  // house
      return join(box(p, {0, 0.4f}, 0.72f, 0.52f), polygon(p, kRoof));
    case 10:  // tree
      return join(polygon(p, kTreeTop), polygon(p, kTreeBottom), box(p, {0, 0.8f}, 0.17f, 0.22f));
    case 11:  // fish
      return join(fish_body(p), polygon(p, kTail));
    case 12:
      return flower(p);
    case 13:  // boat
      return join(polygon(p, kHull), polygon(p, kMainSail), polygon(p, kForeSail));
    case 14:  // key
      return join(ring(p, {-0.55f, 0}, 0.32f, 0.14f), box(p, {0.36f, 0}, 0.62f, 0.13f),
                  box(p, {0.85f, 0.25f}, 0.12f, 0.3f), box(p, {0.45f, 0.22f}, 0.12f, 0.25f));
    case 15:  // cup
      return join(polygon(p, kCup), std::max(ring(p, {0.42f, 0}, 0.4f, 0.12f), 0.3f - p.x));
    case 16:  // mushroom
      return join(std::max(disc(p, {0, 0.05f}, 1.0f), p.y - 0.15f), box(p, {0, 0.5f}, 0.3f, 0.45f));
    case 17:
      return umbrella(p);
    case 18:  // bell
      return join(polygon(p, kBell), disc(p, {0, 0.72f}, 0.24f), disc(p, {0, -0.88f}, 0.14f));
    case 19:
      return leaf(p);
    case 20:  // cloud
      return join(disc(p, {-0.55f, 0.15f}, 0.42f), disc(p, {-0.05f, -0.2f}, 0.52f),
                  disc(p, {0.55f, 0.1f}, 0.45f), box(p, {0, 0.3f}, 0.6f, 0.26f));
    case 21:
      return polygon(p, kBolt);
    case 22:
      return polygon(p, kDiamond);
    default:
      return polygon(p, kHexagon);
  }
}

float detail_distance(int kind, Point p) {
  switch (kind) {
    case 9:  // the house's door
      return box(p, {0, 0.66f}, 0.2f, 0.27f);
    case 10:  // trunk
      return box(p, {0, 0.8f}, 0.17f, 0.22f);
    case 11:  // eye
      return disc(p, {-0.65f, -0.12f}, 0.13f);
    case 12:  // the flower's middle
      return disc(p, {0, 0}, 0.28f);
    case 13:  // hull
      return polygon(p, kHull);
    case 16:  // the mushroom's stem
      return box(p, {0, 0.58f}, 0.3f, 0.37f);
    case 17:  // handle
      return p.y < 0.1f ? 9.0f : umbrella(p);
    case 18:  // clapper
      return std::max(disc(p, {0, 0.72f}, 0.24f), 0.6f - p.y);
    case 19: {  // the leaf's middle vein
      return capsule(p, {-0.75f, 0.75f}, {0.45f, -0.45f}, 0.07f);
    }
    default:
      return 9.0f;
  }
}

}  // namespace laclip::world
