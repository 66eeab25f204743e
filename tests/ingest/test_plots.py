import datetime
import gzip
import json

import pytest

from ingest import plots
from ingest.lines import Reject
from ingest.plots import Plot, UnreadableCell, find_plots, plot_files, read_plots
from schema.errors import UserError
from tables.movies import Cell

THIS_YEAR = datetime.datetime.now(datetime.UTC).year


def read(path):
    return list(read_plots(path, lambda done: None))


def write(directory, name, text):
    data = text if isinstance(text, bytes) else text.encode()
    (directory / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return directory / name


@pytest.mark.parametrize("name", ["p.tsv", "p.tsv.gz", "p.txt", "P.TSV"])
def test_tab_separated_files_have_no_quoting(tmp_path, name):
    text = 'tconst\tplot\ntt0000007\t"One" goes, "two\ntt10000001\t  Two\u00a0stays \n'
    assert read(write(tmp_path, name, text)) == [
        Plot(2, 7, "", None, '"One" goes, "two'),
        Plot(3, 10000001, "", None, "Two\u00a0stays"),
    ]


@pytest.mark.parametrize("column", ["plot", "Plot Synopsis", "OVERVIEW", "description", "summary"])
@pytest.mark.parametrize("id_column", ["tconst", "imdb_id", "IMDb ID", "imdb-id", "Const"])
def test_accepted_column_names(tmp_path, id_column, column):
    path = write(tmp_path, "p.csv", f"\ufeff{id_column},rank,{column}\r\ntt0000007,1,A story\r\n")
    assert read(path) == [Plot(2, 7, "", None, "A story")]


@pytest.mark.parametrize(
    ("value", "title_id"),
    [("tt0114709", 114709), ("114709", 114709), ("0114709", 114709), ("114709.0", 114709)],
)
def test_bare_numbers_are_ids(tmp_path, value, title_id):
    path = write(tmp_path, "p.csv", f"imdb_id,plot\n{value},A story\n")
    assert read(path)[0].title_id == title_id


def test_csv_records_with_quotes_and_several_lines(tmp_path):
    text = 'imdb_id,plot\ntt0000001,"He said ""go"",\nand\n\nwent"\ntt0000002,Plain\n'
    assert read(write(tmp_path, "p.csv.gz", text)) == [
        Plot(2, 1, "", None, 'He said "go", and went'),
        Plot(6, 2, "", None, "Plain"),
    ]


def test_a_malformed_csv_record_does_not_affect_the_next(tmp_path):
    text = (
        "imdb_id,year,overview\n"
        "tt0000001,1990,One\n"
        "tt0000002,1991\n"
        'tt0000003,1992,"never closed\n'
        "tt0000004,1993,Four\n"
        'tt0000005,1994,"closed" badly\n'
        "\n"
        "tt0000006,1995,Six,seven\n"
        'tt0000008,1996,"Eight\nlines"\n'
    )
    assert read(write(tmp_path, "p.csv", text)) == [
        Plot(2, 1, "", 1990, "One"),
        Reject("p.csv", 3, "expected 3 columns, got 2", "tt0000002,1991"),
        Reject("p.csv", 4, "unclosed quote", 'tt0000003,1992,"never closed'),
        Plot(5, 4, "", 1993, "Four"),
        Reject("p.csv", 6, "invalid quoting", 'tt0000005,1994,"closed" badly'),
        Reject("p.csv", 8, "expected 3 columns, got 4", "tt0000006,1995,Six,seven"),
        Plot(9, 8, "", 1996, "Eight lines"),
    ]


def test_an_unclosed_quote_costs_one_record(tmp_path):
    rows = [f"tt{n:07},Story {n}" for n in range(1, 3001)]
    rows[4] = 'tt0000005,"Story 5'
    found = read(write(tmp_path, "p.csv", "\n".join(["imdb_id,plot", *rows])))
    assert found[4] == Reject("p.csv", 6, "unclosed quote", 'tt0000005,"Story 5')
    assert [plot.title_id for plot in found if isinstance(plot, Plot)] == [
        n for n in range(1, 3001) if n != 5
    ]


def test_malformed_records_are_rejected_with_line_numbers(tmp_path):
    text = (
        b"tconst\tplot\ntt0000001\tf\xc3\xafne\nnm0000002\tstory\ntt3\n\ntt0000004\tfaded\xe9\n"
        b"tt0000005\ta\tb\n" + b"tt0000006\t" + b"x" * (1 << 20) + b"y\n"
    )
    assert read(write(tmp_path, "p.tsv", text)) == [
        Plot(2, 1, "", None, "fïne"),
        Reject("p.tsv", 3, "tconst: expected a title id such as tt0111161", "nm0000002"),
        Reject("p.tsv", 4, "expected 2 columns, got 1", "tt3"),
        Reject("p.tsv", 6, "invalid bytes", "tt0000004\tfaded?"),
        Reject("p.tsv", 7, "expected 2 columns, got 3", "tt0000005\ta\tb"),
        Reject("p.tsv", 8, "plot: longer than 1,048,576 characters", "x" * 200),
    ]


def test_json_lines(tmp_path):
    records = [
        json.dumps({"imdb_id": 114709, "Plot": "Toys &amp; boys"}),
        json.dumps({"tconst": "tt0000002", "synopsis": None, "overview": "Second"}),
        "",
        json.dumps({"title": "Ünder", "year": 1950, "plot": "Third"}),
        "{broken",
        "[1, 2]",
        json.dumps({"imdb_id": "tt0000003", "plot": "half \ud800 pair"}),
    ]
    assert read(write(tmp_path, "p.jsonl", "\n".join(records))) == [
        Plot(1, 114709, "", None, "Toys &amp; boys"),
        Plot(2, 2, "", None, "Second"),
        Plot(4, None, "Ünder", 1950, "Third"),
        Reject("p.jsonl", 5, "invalid JSON", "{broken"),
        Reject("p.jsonl", 6, "expected a JSON object", "[1, 2]"),
        Reject("p.jsonl", 7, "invalid bytes", records[6]),
    ]


def test_records_with_title_and_year(tmp_path):
    text = "Release Year,Title,Director,Plot\n1931,The Lighthouse!,X,One\n,Untimed,X,Two\n"
    assert read(write(tmp_path, "wiki_plots.csv", text)) == [
        Plot(2, None, "The Lighthouse!", 1931, "One", "X"),
        Plot(3, None, "Untimed", None, "Two", "X"),
    ]


def test_mpst(tmp_path):
    text = (
        "imdb_id,title,plot_synopsis,tags,split,synopsis_source\n"
        'tt0000001,Salt,"Note: this\n is long.","murder, cult",train,imdb\n'
    )
    assert read(write(tmp_path, "mpst_full_data.csv", text)) == [
        Plot(2, 1, "Salt", None, "Note: this  is long.")
    ]


def test_the_movies_dataset(tmp_path):
    """The id is one of many columns, and a few rows are split into two."""
    text = (
        "adult,genres,id,imdb_id,original_title,overview,release_date,title\n"
        "False,\"[{'id': 18, 'name': 'Drama'}]\",862,tt0000001,Salz,"
        '"Led by\n\nW.",1995-10-30,Salt\n'
        " - Written by Somebody,0.065,1,,104.0,Released,,False\n"
        "False,[],863,,Nur,No overview found.,,Only\n"
        "False,[]\n"
    )
    assert read(write(tmp_path, "movies_metadata.csv", text)) == [
        Plot(2, 1, "Salt", 1995, "Led by W."),
        Plot(5, None, "False", None, "Released"),
        Plot(6, None, "Only", None, ""),
        Reject("movies_metadata.csv", 7, "expected 8 columns, got 2", "False,[]"),
    ]


def write_cmu(directory, metadata, summaries):
    directory.mkdir(exist_ok=True)
    write(directory, "movie.metadata.tsv", metadata)
    return write(directory, "plot_summaries.txt", summaries)


def test_cmu(tmp_path):
    metadata = (
        "975900\t/m/03vyhn\tGhosts\t2001-08-24\t14010832\t98.0\t{}\t{}\t{}\n"
        "3196793\t/m/08yl5d\tUndated\t\t\t95.0\t{}\t{}\t{}\n"
    )
    summaries = (
        "3196793\tSecond {{cite web}}\n975900\tMars, in the year 2176.\n111\tNobody knows.\nxyz\n"
    )
    path = write_cmu(tmp_path / "MovieSummaries", metadata, summaries)
    expected = [
        Plot(1, None, "Undated", None, "Second {{cite web}}"),
        Plot(2, None, "Ghosts", 2001, "Mars, in the year 2176."),
        Plot(3, None, "", None, "Nobody knows."),
        Reject("plot_summaries.txt", 4, "expected 2 columns, got 1", "xyz"),
    ]
    assert read(path) == expected
    assert read(path.parent) == expected
    assert plot_files(path.parent) == [path, path.with_name("movie.metadata.tsv")]


def test_cmu_metadata_that_is_malformed_or_missing(tmp_path):
    path = write_cmu(tmp_path, "1\t/m/1\tGhosts\t2001\n", "1\tA story\n")
    found = []
    assert list(read_plots(path, lambda done: None, on_metadata=found.append)) == [
        Plot(1, None, "", None, "A story")
    ]
    assert found[0].rejects == [
        Reject("movie.metadata.tsv", 1, "expected 9 columns, got 4", "1\t/m/1\tGhosts\t2001")
    ]
    path.with_name("movie.metadata.tsv").unlink()
    with pytest.raises(UserError, match=r"movie.metadata.tsv: no such file"):
        read(path)


def test_columns_are_chosen_by_the_settings(tmp_path):
    path = write(tmp_path, "p.csv", "Name,Blurb,Plot,When\nSalt,A night.,Bad,1938\n")
    columns = {"plot": "blurb", "year": "When"}
    assert list(read_plots(path, lambda done: None, chosen=columns)) == [
        Plot(2, None, "Salt", 1938, "A night.")
    ]
    with pytest.raises(UserError, match=r"p.csv: found no column Text, which `ingest.columns`"):
        list(read_plots(path, lambda done: None, chosen={"plot": "Text"}))
    with pytest.raises(UserError, match=r"names the column When for genres, which is not read"):
        list(read_plots(path, lambda done: None, chosen={"genres": "When"}))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "p.csv",
            "moovie_title,storylines\n1,2\n",
            r"got moovie_title, storylines. moovie_title is similar to movie_title. storylines is "
            r"similar to storyline. Name the column of the plot plot, .* or summary, .* id tconst",
        ),
        (
            "p.csv",
            "year,plot\n1,2\n",
            "expected columns for the plot and the movie, got year, plot",
        ),
        ("p.jsonl", '\n{"tconst": "tt0000001"}\n', "expected columns .* got tconst. "),
        ("p.tsv", "", "p.tsv: expected a header and rows, got an empty file"),
        ("p.csv.gz", "tconst,plot\ntt0000001,x\n", "the compressed file is truncated"),
    ],
)
def test_a_file_of_another_format_raises(tmp_path, name, text, message):
    path = write(tmp_path, name, text)
    if "truncated" in message:
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("column", "value", "year"),
    [
        ("release_date", "11/30/1938", 1938),
        ("release_date", '"November 30, 1938"', 1938),
        ("year", "(1938)", 1938),
        ("year", "1938.0", 1938),
        ("Release Timestamp", "708307200", 1992),
    ],
)
def test_years_in_many_forms(tmp_path, column, value, year):
    path = write(tmp_path, "p.csv", f"title,{column},plot\nSalt Road,{value},A night\n")
    assert read(path) == [Plot(2, None, "Salt Road", year, "A night")]


def test_json_numbers_with_a_fraction_of_zero(tmp_path):
    records = [{"title": "Salt Road", "year": 1938.0, "plot": "One"}, {"id": 7, "imdb_id": 42876.0}]
    assert read(write(tmp_path, "p.jsonl", "\n".join(map(json.dumps, records)))) == [
        Plot(1, None, "Salt Road", 1938, "One"),
        Plot(2, 42876, "", None, ""),
    ]


def test_the_first_text_of_a_list_is_the_plot(tmp_path):
    text = json.dumps([{"imdb_id": "tt0000007", "plot": ["", "A night.", "Another."]}])
    assert read(write(tmp_path, "p.json", text)) == [Plot(1, 7, "", None, "A night.")]


def test_titles_with_the_year_or_the_article_at_their_end(tmp_path):
    text = 'title,plot\nSalt Road (1938),One\n"Ferry, The (1951)",Two\n'
    assert read(write(tmp_path, "p.csv", text)) == [
        Plot(2, None, "Salt Road", 1938, "One"),
        Plot(3, None, "The Ferry", 1951, "Two"),
    ]


@pytest.mark.parametrize("value", ["NaN", "null", r"\N", "N/A", "0", "unknown", ""])
def test_an_unknown_id_is_none(tmp_path, value):
    path = write(tmp_path, "p.csv", f"imdb_id,title,year,plot\n{value},Salt Road,1938,A night\n")
    assert read(path) == [Plot(2, None, "Salt Road", 1938, "A night")]


@pytest.mark.parametrize("value", ["http://imdb.com/title/tt0042876", "Tt0042876", " 42876 "])
def test_ids_in_many_forms(tmp_path, value):
    assert read(write(tmp_path, "p.csv", f"imdb_id,plot\n{value},A night\n"))[0].title_id == 42876


def test_rows_about_another_kind_of_title(tmp_path):
    text = (
        "type,title,year,plot\nTV Series,Salt,1938,One\nMovie,Salt,1938,Two\nB/W,Salt,1938,Three\n"
    )
    path = write(tmp_path, "p.csv", text)
    assert [plot.is_another_kind for plot in read(path)] == [True, False, False]
    wanted = read_plots(path, lambda done: None, ("movie", "tvSeries"))
    assert [plot.is_another_kind for plot in wanted] == [False, False, False]


def test_people_are_read_where_there_is_no_id(tmp_path):
    text = (
        "imdb_id;title;director;Star1;Star2;plot\n"
        ";Salt;Ada Lind;Bo Sund, Jr.;Ada Lind;One\ntt0000007;Salt;Ada Lind;;;Two\n"
    )
    assert [plot.people for plot in read(write(tmp_path, "p.csv", text))] == [
        "Ada Lind|Bo Sund, Jr.",
        "",
    ]


def test_values_that_are_not_understood_keep_their_record(tmp_path):
    text = "title,year,director,genres,plot\nSalt,57,[1],[1],One\n"
    assert read(write(tmp_path, "p.csv", text)) == [
        UnreadableCell(2, Cell("year", "57", f"expected a year from 1870 to {THIS_YEAR + 10}")),
        UnreadableCell(2, Cell("director", "[1]", "expected names")),
        Plot(2, None, "Salt", None, "One"),
    ]


def test_the_format_is_logged(tmp_path, caplog):
    caplog.set_level("INFO", "ingest.plots")
    read(write(tmp_path, "p.txt", "title;year;plot\nCafé;1938;Naïve\n".encode("cp1252")))
    assert caplog.messages == ["p.txt: CSV with semicolons, cp1252"]


def test_columns_that_are_not_read_are_logged(tmp_path, caplog):
    caplog.set_level("INFO", "ingest.plots")
    read(write(tmp_path, "p.csv", "titel,title,year,plot,,shelf,rating\na,Tide,1938,Foam.,1,x,7\n"))
    assert caplog.messages == [
        "p.csv: columns that are not read: titel (similar to title), shelf, rating",
        "p.csv: CSV with commas, ASCII",
    ]


def test_find_plots(tmp_path):
    write(tmp_path, "title.basics.tsv", "")
    with pytest.raises(UserError, match=r"found no plots.*`--plots`"):
        find_plots(tmp_path)
    corpus = write_cmu(tmp_path / "MovieSummaries", "", "").parent
    assert find_plots(tmp_path) == corpus
    metadata = write(tmp_path, "movies_metadata.csv", "")
    with pytest.raises(
        UserError,
        match=r"\(MovieSummaries, movies_metadata.csv\). Choose one of them with `ingest.plots` in",
    ):
        find_plots(tmp_path)
    metadata.unlink()
    for name in ("._plots.csv", ".plots.csv", "~$plots.csv"):
        write(tmp_path, name, "x")
    assert find_plots(tmp_path) == corpus
    (corpus / "plot_summaries.txt").unlink()
    assert find_plots(tmp_path.parent / write(tmp_path, "My_Plots.jsonl", "").parent) == (
        tmp_path / "My_Plots.jsonl"
    )


def test_a_missing_file_raises(tmp_path):
    with pytest.raises(UserError, match=r"none.csv: no such file"):
        plots.plot_files(tmp_path / "none.csv")
