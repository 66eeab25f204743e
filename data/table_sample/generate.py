"""Write `movies.csv`: 300 invented movies as one table, as people export them from a spreadsheet.

The same seed gives the same bytes: `python data/table_sample/generate.py`.
"""

import csv
import io
import random
from pathlib import Path
from typing import Final

OUTPUT: Final = Path(__file__).with_name("movies.csv")
SEED: Final = 31
ROWS: Final = 300

HEADER: Final = (
    "Movie Title",
    "Release Year",
    "Running Time",
    "Genres",
    "Synopsis",
    "Director",
    "Cast",
    "Rating",
    "Votes",
    "Shelf",
)

# Three lists for each genre: how a plot begins, what goes wrong, and how it ends. A person is named
# every few words, because plots that share twelve words would count as copies of each other.
PLOTS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "Courtroom": (
        (
            "Attorney {a} defends {b}, a {job} whom all of {place} calls guilty.",
            "{a} sits on the jury in {place} when {b}, a {job}, stands trial.",
            "Judge {a} of {place} tries {b}, the {job} who once saved her life.",
            "In {place}, prosecutor {a} opens a murder case against {b}, a {job}.",
        ),
        (
            "A witness, {c}, takes back the testimony about the {thing}.",
            "The {thing} that the prosecution calls evidence belongs to {c}.",
            "Before the verdict {c} admits to a juror who paid for the {thing}.",
            "Under cross-examination {c} says that there never was a {thing}.",
        ),
        (
            "The closing argument of {a} lasts until the jury falls asleep.",
            "An appeal in {month} gives {b} one last motion to file.",
            "The court is silent when {a} hears the verdict in {month}.",
            "To win the trial, {a} must put the presiding judge on oath.",
        ),
    ),
    "Heist": (
        (
            "Safecracker {a} means to rob a vault in {place}, with {b} at the wheel.",
            "{a}, a {job} in debt, helps {b} to plan the robbery of a bank in {place}.",
            "Out of prison, {a} returns to {place} for one last robbery with {b}.",
            "Forger {a} and {b}, a retired {job}, steal a painting in {place}.",
        ),
        (
            "The vault is open, {c} smiles, and the {thing} is gone.",
            "Someone in the crew, perhaps {c}, told the police about the {thing}.",
            "The loot must leave in a {thing} that {c} will not sell.",
            "A second gang under {c} wants the diamonds and the {thing}.",
        ),
        (
            "Only {b}, who drives the getaway car, knows where the money is.",
            "In {month} the thieves meet {a} to divide the loot, all armed.",
            "The robbery works until {a} trips over the alarm.",
            "While detectives count banknotes, {b} walks out with the rest.",
        ),
    ),
    "Haunted House": (
        (
            "{a}, a {job}, inherits from {b} a mansion in {place} that is never quiet.",
            "When {a} and {b} move into the manor of {place}, the cellar locks itself.",
            "Widow {a} asks {b}, a {job}, who walks in her attic in {place}.",
            "In {place}, {a} buys the house in which {b}, a {job}, died and stayed.",
        ),
        (
            "A ghost writes the name {c} in the dust beside the {thing}.",
            "The spirit in the walls wants the {thing} that {c} has sold.",
            "Whispers on the stairs tell {c} to dig under the {thing}.",
            "In every mirror a pale child shows {c} the {thing}.",
        ),
        (
            "By {month} the haunting has followed {a} into every room.",
            "At midnight {b} opens the crypt, and the candles go out.",
            "The dead will rest when {a} sleeps in the nursery.",
            "What knocks behind the wallpaper knows {b} by name.",
        ),
    ),
    "Road Trip": (
        (
            "{a}, a {job}, drives a rusty van out of {place} with {b} in the back.",
            "Two sisters, {a} and {b}, leave {place} by car with the ashes of a {job}.",
            "{a} hitchhikes out of {place} with {b}, a {job} who cannot drive.",
            "In a borrowed truck {a} and {b} cross the country from {place}.",
        ),
        (
            "A flat tyre strands them at the motel of {c}, who wants the {thing}.",
            "They miss the exit, and {c} climbs in with a {thing}.",
            "At a petrol station {c} finds the {thing} still on the roof.",
            "The engine dies, and {c} repairs it with a {thing}.",
        ),
        (
            "A thousand miles later {a} has a friend and no petrol.",
            "In {month} they reach the ocean, where {b} turns the car around.",
            "At every diner on the highway {a} tells the journey anew.",
            "The last road on the map leads {a} home in {month}.",
        ),
    ),
    "Seafaring": (
        (
            "Captain {a} sails from {place} with {b}, a {job} who fears water.",
            "{a} joins a whaling ship in {place} to find {b}, a {job} lost at sea.",
            "The schooner of {a} leaves {place} with {b}, a {job}, at the helm.",
            "From the lighthouse of {place}, {a} rows to a wreck and finds {b}, a {job}.",
        ),
        (
            "When the mast breaks, sailors blame {c} and the {thing}.",
            "The first mate, {c}, starts a mutiny over a {thing}.",
            "Below deck {c} hides a {thing} from the harbour master.",
            "There is no wind, and {c} trades the {thing} for water.",
        ),
        (
            "In the gales of {month}, {a} steers the ship for a reef.",
            "The crew of {a} sights land in {month}, and the navy's sails.",
            "One lifeboat is left, and {b} lets the sailors choose.",
            "The tide brings home the anchor of {a} and no crew.",
        ),
    ),
    "Space Voyage": (
        (
            "Pilot {a} wakes on a starship from {place} with {b}, a {job}, at her side.",
            "A station in orbit above {place} sends {a}, a {job}, to look for {b}.",
            "{a} and the android {b} carry colonists from {place} to a silent planet.",
            "The rocket of {a}, a {job} from {place}, passes Saturn with {b} asleep.",
        ),
        (
            "The ship's computer has the voice of {c} and keeps the airlock shut.",
            "From an asteroid {c} repeats a signal about a {thing}.",
            "Oxygen is low, and {c} took the {thing} outside the hull.",
            "Something in the cargo bay imitates {c} and the {thing}.",
        ),
        (
            "If the engines start by {month}, {a} may see the sun again.",
            "On the alien moon {b} finds footprints and a second rocket.",
            "The colonists let {a} stay awake until the ship reaches orbit.",
            "Mission control hears {b} once more from the capsule in {month}.",
        ),
    ),
}


def listed(text: str) -> list[str]:
    """Return the parts of a text that `|` or else spaces separate."""
    return text.split("|") if "|" in text else text.split()


FIRST_NAMES: Final = listed(
    "Ada Anton Bela Carla Dario Edda Elias Fenna Gita Hugo Ines Ivo Jana Joris Karim Lena "
    "Lotte Mara Milo Nadia Nils Odile Oskar Petra Quentin Rosa Runa Samir Selma Tilda Tomas "
    "Ursel Vera Wanda Yara Zeno"
)
LAST_NAMES: Final = listed(
    "Aldane Brevik Corvo Dunmore Eskola Farrant Gollin Harwick Ilves Jarrow Kestrel Lomax "
    "Marchetti Norling Okoro Pellew Quill Rask Sorvino Tamm Ulvang Varga Wexford Yardley Zeman"
)
PLACES: Final = listed(
    "Alderport|Brack Hollow|Cold Ferry|Dunwater|East Marrow|Fenwick Bay|Garnet Falls|"
    "Harrow End|Isleborne|Juniper Flats|Kingsmoor|Lantern Hill|Mirefield|North Quay|Old Tarn|"
    "Pinegate|Quarry Town|Redcliff|Saltmarsh|Thornbury Lake|Underhill|Velden|Westering|"
    "Yarrow Bridge"
)
JOBS: Final = listed(
    "baker|beekeeper|clockmaker|dentist|gardener|geologist|janitor|librarian|mechanic|notary|"
    "nurse|organist|piano tuner|postman|schoolteacher|surgeon|tailor|translator|vet|weaver"
)
THINGS: Final = listed(
    "brass key|cello|chess set|copper kettle|diary|fur coat|glass eye|gramophone|lacquered box|"
    "music box|pocket watch|porcelain dog|red suitcase|sealed letter|sewing machine|"
    "silver spoon|stuffed owl|telescope|toy train|wedding ring"
)
MONTHS: Final = listed(
    "January February March April May June July August September October November December"
)
TITLE_WORDS: Final = listed(
    "Amber Broken Crooked Distant Eleventh Fading Gentle Hidden Iron Last Late Narrow Patient "
    "Quiet Second Silent Stolen Tall Unlit Winter"
)
TITLE_NOUNS: Final = listed(
    "Anchor Bargain Candle Door Echo Ferry Garden Hour Key Lantern Mile Oath Passage Quarrel "
    "River Signal Tide Verdict Wheel Witness"
)


def write_plot(generator: random.Random, genres: list[str]) -> str:
    """Return three sentences, taken in turn from the genres."""
    people = [f"{generator.choice(FIRST_NAMES)} {generator.choice(LAST_NAMES)}" for _ in range(3)]
    words = dict(zip("abc", people, strict=True)) | {
        "place": generator.choice(PLACES),
        "job": generator.choice(JOBS),
        "thing": generator.choice(THINGS),
        "month": generator.choice(MONTHS),
    }
    sentences = [
        generator.choice(PLOTS[genres[part % len(genres)]][part]).format(**words)
        for part in range(3)
    ]
    return " ".join(sentences)


def make_row(generator: random.Random, number: int) -> list[str]:
    """Return one row; every few rows a cell is written differently or is unknown."""
    genres = sorted(generator.sample(sorted(PLOTS), k=1 + (number % 3 == 0)))
    year, minutes = generator.randint(1951, 2024), generator.randint(71, 164)
    word, noun = generator.choice(TITLE_WORDS), generator.choice(TITLE_NOUNS)
    title = generator.choice(
        (
            f"The {word} {noun}",
            f"The {noun} of {generator.choice(PLACES)}",
            f"A {noun} in {word} Light",
        )
    )
    directors, cast = (
        [
            f"{generator.choice(FIRST_NAMES)} {generator.choice(LAST_NAMES)}"
            for _ in range(generator.randint(1, most))
        ]
        for most in (2, 4)
    )
    row = [
        title,
        str(year),
        str(minutes),
        ", ".join(genres),
        write_plot(generator, genres),
        ", ".join(directors),
        ", ".join(cast),
        f"{generator.uniform(3, 9):.1f}",
        f"{generator.randint(40, 90_000):,}",
        f"{generator.choice('ABCD')}{generator.randint(1, 40)}",
    ]
    if number % 7 == 0:
        row[2] = f"{minutes // 60}h {minutes % 60}m"
    if number % 11 == 0:
        row[0], row[1] = f"{title} ({year})", ""
    elif number % 13 == 0:
        row[0] = f"{title.removeprefix('The ')}, The"
    if number % 17 == 0:
        null = ("N/A", r"\N", "None", "null")[number // 17 % 4]
        row[6:9] = [null] * 3
    return row


def main() -> None:
    """Write the table."""
    generator = random.Random(SEED)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(make_row(generator, number) for number in range(1, ROWS + 1))
    lines = text.getvalue().splitlines(keepends=True)
    # A row as a faulty export writes it: a quote is opened and never closed.
    before, quote, after = lines[150].partition('"')
    lines[150] = before + quote + after.replace('"', "")
    OUTPUT.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
