// Draws a scene: background with clutter, anti-aliased objects with texture and outline, a gradient
// of light, sensor noise. A pure function of the scene and the size.
#pragma once

#include "data/image.h"
#include "data/world/scene.h"

namespace laclip::world {

constexpr int kJpegQuality = 90;

Image render(const Scene& scene, int size);

}  // namespace laclip::world
