#include "data/prompt_pairs.h"

namespace laclip {

std::vector<ExamplePair> chatgpt_pairs() {
  return {{"old wooden boat on the beach at low tide",
           "A weathered wooden boat rests on the sand while the tide is out."},
          {"chef slices tomatoes in a restaurant kitchen",
           "In a busy restaurant kitchen, a chef is cutting ripe tomatoes into thin slices."},
          {"red tram on a rainy street",
           "A red tram glides along a street that glistens with rain."},
          {"portrait of a smiling grandmother with her cat",
           "A cheerful grandmother poses for a portrait with her cat in her arms."},
          {"snow covered cabin in the forest",
           "Deep in the forest stands a small cabin, covered by a thick layer of snow."},
          {"football fans celebrate a goal",
           "Excited football supporters jump and cheer after a goal is scored."},
          {"blue ceramic vase with dried flowers on white background",
           "A blue ceramic vase holding dried flowers is set against a plain white background."},
          {"cyclist on a mountain road at sunrise",
           "A lone cyclist rides up a mountain road as the sun begins to rise."},
          {"children build a sandcastle by the sea",
           "By the seaside, a group of children works together on a large sandcastle."},
          {"vintage typewriter on a desk",
           "An old-fashioned typewriter sits on a desk, ready to be used."},
          {"grey horse running in a meadow", "A grey horse gallops freely across a green meadow."},
          {"interior of a modern library",
           "The inside of a modern library, with long shelves and bright reading places."},
          {"musician plays the violin in the subway",
           "A street musician entertains passengers by playing the violin in a subway station."},
          {"bowl of oatmeal with blueberries",
           "A healthy breakfast bowl of oatmeal is topped with fresh blueberries."},
          {"lighthouse during a storm",
           "Huge waves crash around a lighthouse in the middle of a storm."},
          {"young couple paints the wall of their new flat",
           "A young couple is busy painting a wall in the flat they have just moved into."}};
}

std::vector<ExamplePair> bard_pairs() {
  return {{"fishing nets in the harbour",
           "Colourful fishing nets lie in heaps along the harbour, drying in the salty breeze of "
           "the morning."},
          {"dog waits at the door",
           "A patient dog lies beside the front door with his head on his paws, listening for "
           "familiar steps."},
          {"market stall with spices",
           "A market stall overflows with spices, their warm reds and yellows piled into fragrant "
           "cones."},
          {"skier jumps over a cliff",
           "A daring skier launches from a snowy cliff, hanging in the air high above the powder "
           "below."},
          {"old man reads a newspaper on a bench",
           "An old man sits on a park bench, quietly reading his newspaper while the city hurries "
           "past him."},
          {"balloons over the valley",
           "Dozens of hot air balloons drift over the valley at dawn, painting the pale sky with "
           "their colours."},
          {"cup of coffee and an open book",
           "A steaming cup of coffee stands next to an open book, an invitation to spend a slow "
           "afternoon indoors."},
          {"bridge at night",
           "The long bridge shines in the night, its lights doubled in the calm dark water of the "
           "river."},
          {"girl feeds a goat at the farm",
           "A little girl stretches out her hand and laughs as a curious goat nibbles the hay from "
           "her fingers."},
          {"autumn leaves on a path",
           "A carpet of golden and crimson leaves covers the winding path through the quiet autumn "
           "woods."},
          {"truck in the desert",
           "A dusty truck crosses the endless desert, leaving a long trail of sand hanging in the "
           "hot air behind it."},
          {"woman dances in a red dress",
           "A woman whirls across the stage, her red dress opening like a flower around her as she "
           "dances."},
          {"kitten asleep in a basket",
           "A tiny kitten has curled up in a wicker basket and sleeps soundly on a soft woollen "
           "blanket."},
          {"ruins of a temple",
           "The broken columns of an ancient temple rise from the hillside, silent witnesses of a "
           "lost age."},
          {"plates with pasta on the table",
           "Generous plates of pasta wait on the wooden table, topped with basil and a snowfall of "
           "cheese."},
          {"surfer walks to the water",
           "With the board under one arm, a surfer strolls down to the water, watching the waves "
           "roll in."}};
}

std::vector<ExamplePair> human_pairs() {
  return {
      {"<PERSON> arriving at the premiere in a long black coat - photo 12",
       "A celebrity wearing a long black coat arrives at a film premiere"},
      {"Garden Bench, teak, 3 seater, weatherproof",
       "A wooden garden bench with room for three people, made to stay outdoors"},
      {"our trip to the waterfall!! so worth the hike",
       "A tall waterfall in the woods, photographed at the end of a hike"},
      {"<PERSON> and <PERSON> cut the cake at their wedding",
       "A bride and a groom cutting their wedding cake together"},
      {"Easy lemon cake recipe (only 5 ingredients)",
       "A slice of a simple homemade lemon cake on a plate"},
      {"DIY bird feeder from an old bottle",
       "A homemade bird feeder built from a used plastic bottle"},
      {"View from our balcony, day 3", "The view over the rooftops of a town, seen from a balcony"},
      {"<PERSON> scores for the home team in Saturday's game",
       "A player of the home team shooting the ball into the goal during a match"},
      {"Men's running shoes blue/orange size 43",
       "A pair of blue running shoes for men with orange details"},
      {"my cat thinks she owns the laptop", "A cat lying across the keyboard of a laptop computer"},
      {"Street art in the old town, artist unknown",
       "A large colourful mural painted on a wall in an old part of town"},
      {"<PERSON> speaks at the climate conference",
       "A speaker standing behind a desk at a conference about the climate"},
      {"2 bedroom house for sale, needs renovation",
       "A small old house offered for sale that has to be renovated"},
      {"sunset from the ferry, no filter",
       "The sun going down over the sea, seen from the deck of a ferry"},
      {"Kids craft: paper plate lion", "The face of a lion that children made from a paper plate"},
      {"first snow of the year in our street",
       "Fresh snow covering the cars and the pavement of a quiet street"}};
}

std::vector<std::vector<std::string>> coco_groups() {
  return {
      {"A man throws a frisbee to his dog in a park.", "A dog leaps for a frisbee thrown by a man.",
       "Someone is playing with a dog on the grass.",
       "A brown dog is about to catch a disc in the air.",
       "A man and a dog enjoy a game in an open field."},
      {"Two giraffes stand next to a tall tree.", "A pair of giraffes eating leaves from a tree.",
       "Giraffes feed on the branches in a dry plain.", "Two tall animals reach up into a tree.",
       "A couple of giraffes in the wild near a single tree."},
      {"A kitchen with white cupboards and a small table.",
       "A clean kitchen has a table with two chairs.", "White furniture fills this little kitchen.",
       "The kitchen is bright and very tidy.", "A small table stands in the middle of a kitchen."},
      {"A woman holds an umbrella on a wet street.",
       "A lady with a yellow umbrella crosses the road.",
       "Someone walks through the rain under an umbrella.",
       "A person with an umbrella on a city street.",
       "On a rainy day a woman is crossing the street."},
      {"A plate with a sandwich and some fries.", "A sandwich is served with french fries.",
       "There is a lunch of a sandwich and fries on the table.",
       "Some fries lie next to a cut sandwich.", "A white plate holds fast food for lunch."},
      {"A boy rides a skateboard down a ramp.", "A young skater is doing a trick on a ramp.",
       "A kid with a helmet is on a skateboard.", "A skateboarder rolls down the side of a ramp.",
       "A boy practises at the skate park."},
      {"A passenger plane takes off from the runway.", "A large jet is rising into a cloudy sky.",
       "An airplane leaves the ground at an airport.",
       "The wheels of the plane have just left the runway.",
       "A white airliner climbs above the airport."},
      {"Several boats are tied up at a dock.", "Small boats float side by side in a harbour.",
       "A row of fishing boats rests on calm water.",
       "Boats of many colours are moored at the pier.", "The harbour is full of little boats."},
      {"A black cat sleeps on a couch.", "A cat is curled up on a grey sofa.",
       "A sleeping cat takes up the middle of the couch.",
       "The cat is resting on a soft piece of furniture.", "A dark cat naps in a living room."},
      {"A train arrives at a small station.", "A yellow train pulls up to an empty platform.",
       "People wait as the train comes into the station.", "A commuter train next to a platform.",
       "The train is stopping at a station in the country."},
      {"A tennis player serves the ball.", "A woman in white is hitting a tennis ball.",
       "An athlete swings her racket on a tennis court.",
       "A player reaches up to serve in a match.", "A tennis match on a green court."},
      {"A bunch of bananas and apples in a bowl.", "Fresh fruit is arranged in a wooden bowl.",
       "A fruit bowl stands on the kitchen counter.", "Yellow bananas lie on top of red apples.",
       "Someone has filled a bowl with fruit."},
      {"A herd of elephants walks to the water.", "Elephants of different sizes cross a plain.",
       "A family of elephants is going to drink.", "A baby elephant follows the big ones.",
       "Many elephants move together toward a pond."},
      {"A man in a suit talks on his phone.", "A businessman makes a call in front of a building.",
       "A person in a dark suit holds a phone to his ear.",
       "Someone in formal clothes is on the phone.",
       "A man stands outside and speaks into a cell phone."},
      {"A pizza with mushrooms on a wooden board.", "A fresh pizza is ready to be cut.",
       "There are mushrooms and cheese on this pizza.", "A whole pizza lies on a round board.",
       "A homemade pizza just out of the oven."},
      {"A stop sign stands at the corner of a street.", "A red sign tells the cars to stop.",
       "There is a traffic sign next to an empty road.", "The corner of a street with a stop sign.",
       "A stop sign in front of some trees."},
      {"A group of people flies kites on a beach.",
       "Colourful kites are in the sky above the sand.", "Families play with kites by the ocean.",
       "Many kites fly over a crowded beach.", "People on a beach look up at their kites."},
      {"A bedroom with a large bed and a lamp.", "A neatly made bed stands beside a window.",
       "The bed in this room has a blue cover.", "A lamp is switched on next to a bed.",
       "A simple hotel room with one big bed."}};
}

}  // namespace laclip
