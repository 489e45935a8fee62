// The silhouettes of the kinds as signed distances: negative inside, in units of the object's
// radius; y points down and the shape fills about [-1, 1]².
#pragma once

namespace laclip::world {

struct Point {
  float x, y;
};

float outline_distance(int kind, Point p);
// Inner lines and marks (a door, an eye), drawn in the colour of the outline; large where none.
float detail_distance(int kind, Point p);

}  // namespace laclip::world
