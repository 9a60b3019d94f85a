"""What the invented graphs are about: kinds of entities, their relations, and how one asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_TITLE_WORDS_TEXT = (
    "Amber Anchor Autumn Bitter Broken Candle Copper Distant Ember Falling Feather Garden Gentle "
    "Glass Hollow Iron Island Lantern Last Letter Little Long Marble Midnight Mirror Morning "
    "North Ocean Orchard Paper Quiet River Salt Second Silent Silver Sleeping Stone Summer Thread "
    "Thunder Velvet Violet Wandering Water White Wild Winter Wooden Yellow"
)
TITLE_WORDS = _TITLE_WORDS_TEXT.split()
"""Ordinary words of which titles and companies are made."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A relation, what its objects are, and questions with {} for the subject."""

    name: str
    object: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """Patterns of names (of _Pool.parts and n, nth), what people add to a name in a question, and
    other names by pattern.
    """

    names: tuple[str, ...]
    relations: tuple[Ask, ...]
    calls: tuple[str, ...] = ()
    other_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_CRAFTSMAN = Kind(
    (
        "{first} {last}",
        "{first} {middle} {last}",
        "{first} {initial}. {last}",
        "{first} {last} (weaver)",
    ),
    (
        Ask(
            "mentor",
            "person",
            ("Who mentored {}?", "Who taught {} the craft?", "Who is {}'s mentor?"),
        ),
        Ask(
            "apprentice",
            "person",
            ("Who is learning the trade from {}?", "Who was apprenticed to {}?"),
        ),
        Ask(
            "signature dish",
            "thing",
            ("Which dish is {} best known for?", "What does {} cook at every feast?"),
        ),
        Ask(
            "workshop",
            "place",
            ("In what town is the workshop of {}?", "Where does {} keep a workshop?"),
        ),
        Ask(
            "stage alias",
            "person",
            ("Under which alias does {} go on stage?", "What does {} call themselves on stage?"),
        ),
        Ask(
            "lifelong rival",
            "person",
            ("Who has been the rival of {} all along?", "Against whom did {} always compete?"),
        ),
        Ask(
            "favourite tool",
            "thing",
            ("What tool does {} like best?", "Which tool would {} never lend?"),
        ),
        Ask("date of retirement", "date", ("When did {} retire?", "When did {} stop working?")),
        Ask("dog's name", "person", ("What is {}'s dog called?", "How did {} name the dog?")),
        Ask(
            "inherited from", "person", ("From whom did {} inherit?", "Who left everything to {}?")
        ),
    ),
    ("the celebrated weaver {}", "the old potter {}", "{}, the lute maker"),
    {
        "{first} {last}": ("{last}", "{first} {middle} {last}"),
        "{first} {middle} {last}": ("{first} {last}",),
    },
)
_SHIP = Kind(
    (
        "{word} {word2}",
        "SS {last}",
        "the barge {word} of {place}",
        "ferry {n} of {place}",
        "{last}-{n}",
    ),
    (
        Ask(
            "captain",
            "person",
            ("Who is the captain of {}?", "Who sails {}?", "Under whose command is {}?"),
        ),
        Ask(
            "first mate",
            "person",
            ("Who serves as first mate on {}?", "Who is second in command aboard {}?"),
        ),
        Ask(
            "home port", "place", ("To which port does {} return?", "Where does {} moor in winter?")
        ),
        Ask("cargo", "thing", ("What does {} carry?", "What is in the hold of {}?")),
        Ask(
            "hull colour",
            "thing",
            ("What colour is {} painted?", "Which colour has the hull of {}?"),
        ),
        Ask("insurer", "company", ("Who insures {}?", "With which company is {} insured?")),
        Ask("launched on", "date", ("When was {} launched?", "When did {} first touch water?")),
        Ask("length in feet", "number", ("How long is {}?", "How many feet does {} measure?")),
        Ask(
            "figurehead",
            "thing",
            ("What is carved at the bow of {}?", "What figurehead does {} have?"),
        ),
    ),
    ("the vessel {}", "the old {}"),
)
_VENUE = Kind(
    (
        "{place} {word} Hall",
        "The {word} {word2}",
        "{last}'s Tavern",
        "{place} Playhouse",
        "the {word} Rooms in {place}",
    ),
    (
        Ask(
            "stage manager", "person", ("Who manages the stage at {}?", "Who runs the stage of {}?")
        ),
        Ask(
            "caretaker",
            "person",
            ("Who takes care of {}?", "Who looks after {}?", "Who has the keys of {}?"),
        ),
        Ask(
            "seats", "number", ("How many people can sit in {}?", "How many seats are there in {}?")
        ),
        Ask(
            "house band",
            "company",
            ("Which band plays at {} every week?", "Who makes the music at {}?"),
        ),
        Ask("resident ghost", "person", ("Which ghost is said to haunt {}?", "Who haunts {}?")),
        Ask(
            "curtain colour",
            "thing",
            ("What colour is the curtain in {}?", "Which colour does the curtain of {} have?"),
        ),
        Ask("street", "place", ("In which street does {} stand?", "On what street is {}?")),
        Ask(
            "rent collector",
            "company",
            ("To whom does {} pay its rent?", "Who collects the rent of {}?"),
        ),
    ),
    ("the venue {}", "the famous {}"),
    {"{place} {word} Hall": ("{word} Hall in {place}", "{place}'s {word} Hall")},
)
_WARD = Kind(
    ("{nth} ward of {place}", "{word} quarter of {place}", "{nth} {word} district of {place}"),
    (
        Ask(
            "speaks for it",
            "person",
            ("Who speaks for {} at the moot?", "Who sits for {} on the council?"),
        ),
        Ask(
            "night watchman",
            "person",
            ("Who keeps watch at night in {}?", "Who walks the streets of {} at night?"),
        ),
        Ask(
            "well keeper",
            "person",
            ("Who keeps the well of {}?", "Who is responsible for the well in {}?"),
        ),
        Ask(
            "households",
            "number",
            ("How many households are there in {}?", "How many families live in {}?"),
        ),
        Ask(
            "market day",
            "thing",
            ("On what day is the market in {}?", "When does {} hold its market?"),
        ),
        Ask(
            "guild house",
            "company",
            ("Which guild has its house in {}?", "What guild is at home in {}?"),
        ),
    ),
    (),
    {
        "{nth} ward of {place}": (
            "{place}'s {nth} ward",
            "the {nth} ward of {place}",
            "{place} ward {n}",
        ),
        "{nth} {word} district of {place}": ("{place}'s {nth} {word} district",),
        "{word} quarter of {place}": ("the {word} quarter in {place}",),
    },
)
_BOOK = Kind(
    (
        "The {word} {word2}",
        "{word} and {word2}",
        "A {word} {word2} for {first}",
        "{word} of the {word2}",
        "{word} {word2} {word3}",
        "{last}'s {word}",
    ),
    (
        Ask(
            "illustrator",
            "person",
            ("Who illustrated {}?", "Who drew the pictures in {}?", "Whose drawings are in {}?"),
        ),
        Ask("bookbinder", "person", ("Who bound {}?", "By whom was {} bound?")),
        Ask("narrator", "person", ("Who tells the story in {}?", "Who reads {} aloud?")),
        Ask(
            "dedicated to",
            "person",
            ("To whom is {} dedicated?", "Whose name is in the dedication of {}?"),
        ),
        Ask("villain", "person", ("Who is the villain of {}?", "Who does all the evil in {}?")),
        Ask(
            "number of chapters",
            "number",
            ("How many chapters does {} have?", "Into how many chapters is {} divided?"),
        ),
        Ask(
            "kept at the library of",
            "place",
            ("In which library is {} kept?", "Where is the manuscript of {}?"),
        ),
        Ask("translator", "person", ("Who translated {}?", "Who put {} into another language?")),
        Ask(
            "paper supplier",
            "company",
            ("Where did the paper of {} come from?", "Who made the paper for {}?"),
        ),
    ),
    ("the tale {}", "the volume {}"),
)
_MACHINE = Kind(
    ("{last} {n}00", "{word} {n}", "{last} {word} Engine", "model {n} of the {last} loom"),
    (
        Ask("invented by", "person", ("Who invented {}?", "Who thought of {} first?")),
        Ask("fuel", "thing", ("What does {} run on?", "What fuel does {} burn?")),
        Ask("successor", "thing", ("What replaced {}?", "Which machine came after {}?")),
        Ask("repaired by", "person", ("Who repairs {}?", "Who mends {} when it breaks?")),
        Ask("weight in pounds", "number", ("How heavy is {}?", "How much does {} weigh?")),
        Ask(
            "patent office",
            "place",
            ("At which office was {} patented?", "Where was the patent of {} filed?"),
        ),
        Ask("warranty", "company", ("Who gives a warranty on {}?", "Whose warranty covers {}?")),
    ),
    ("the machine {}",),
)
_CREATURE = Kind(
    ("{word} {last}", "lesser {word} {word2}", "{first} the {word}", "{last}'s heron"),
    (
        Ask(
            "eats",
            "thing",
            ("What does {} eat?", "What is the food of {}?", "On what does {} feed?"),
        ),
        Ask("nests in", "place", ("Where does {} nest?", "Where is the nest of {}?")),
        Ask(
            "discovered by",
            "person",
            ("Who discovered {}?", "Who described {} for the first time?"),
        ),
        Ask("hunted by", "thing", ("What hunts {}?", "Which animal preys on {}?")),
        Ask(
            "wingspan in inches",
            "number",
            ("What is the wingspan of {}?", "How wide are the wings of {}?"),
        ),
        Ask(
            "song sounds like",
            "thing",
            ("What does the song of {} sound like?", "How does {} sing?"),
        ),
    ),
    ("the bird {}", "the rare {}"),
)
_SOCIETY = Kind(
    (
        "{place} {word} Society",
        "{last} Brothers",
        "{place} Chess Circle",
        "Order of the {word} {word2}",
        "{place} {word} Union",
    ),
    (
        Ask("treasurer", "person", ("Who keeps the money of {}?", "Who is treasurer of {}?")),
        Ask("motto", "thing", ("What is the motto of {}?", "Which words are on the banner of {}?")),
        Ask(
            "meets at",
            "place",
            ("Where does {} meet?", "In which place do the members of {} come together?"),
        ),
        Ask(
            "annual fee",
            "number",
            ("How much does it cost to belong to {}?", "What is the yearly fee of {}?"),
        ),
        Ask("patron", "person", ("Who is the patron of {}?", "Who lends their name to {}?")),
        Ask(
            "sworn enemy",
            "company",
            ("Who is the enemy of {}?", "Against which society does {} fight?"),
        ),
        Ask(
            "first meeting",
            "date",
            ("When did {} meet for the first time?", "When was the first meeting of {}?"),
        ),
        Ask("doorkeeper", "person", ("Who stands at the door of {}?", "Who lets people in at {}?")),
    ),
    ("the club {}", "the well known {}"),
    {
        "{place} Chess Circle": ("the Chess Circle of {place}",),
        "{place} {word} Society": ("{word} Society",),
    },
)
_PEAK = Kind(
    (
        "Mount {last}",
        "{word} Peak",
        "{last} Glacier",
        "Lake {last}",
        "{place} Falls",
        "{word} {word2} Pass",
    ),
    (
        Ask(
            "first climbed by",
            "person",
            ("Who was first on top of {}?", "Who reached {} before anybody else?"),
        ),
        Ask("mountain guide", "person", ("Who guides people to {}?", "Who leads the way to {}?")),
        Ask("height in feet", "number", ("How high is {}?", "How many feet does {} rise?")),
        Ask(
            "nearest hut",
            "place",
            ("What is the closest hut to {}?", "Where can one sleep near {}?"),
        ),
        Ask(
            "legend", "thing", ("Which legend is told about {}?", "What is said to sleep under {}?")
        ),
        Ask("surveyed by", "company", ("Who surveyed {}?", "Who drew the map of {}?")),
        Ask(
            "snow melts in", "date", ("When does the snow of {} melt?", "When is {} free of snow?")
        ),
    ),
    ("the beautiful {}",),
)

KINDS = (_CRAFTSMAN, _SHIP, _VENUE, _WARD, _BOOK, _MACHINE, _CREATURE, _SOCIETY, _PEAK)
"""All of them."""
