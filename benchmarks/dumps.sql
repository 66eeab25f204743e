-- Views with the columns of IMDb's dumps. The values come from hashes, so they are reproducible.
-- ingest_scale.py substitutes $titles, $principals, $principals_per_title and $names.

CREATE MACRO h(i, salt) AS (hash(i * 64 + salt) >> 8)::BIGINT;
CREATE MACRO orNull(i, salt, n, value) AS
    CASE WHEN h(i, salt) % n = 0 THEN '\N' ELSE value::VARCHAR END;
CREATE MACRO person(i, salt) AS format('nm{:07d}', h(i, salt) % $names);
CREATE MACRO word(n) AS ['ba', 'ke', 'li', 'mo', 'ru', 'sha', 'ter', 'vin'][1 + n % 8]
    || ['lan', 'dor', 'mi', 'ne', 'so', 'ta', 'ver', 'xi'][1 + (n >> 3) % 8]
    || ['', 'a', 'el', 'in', 'o', 'ra', 's', 'us'][1 + (n >> 6) % 8];
CREATE MACRO phrase(i, count) AS array_to_string(
    list_transform(range(count), lambda j: word(h(i, 100 + j))), ' ');

CREATE VIEW "title.basics" AS
    SELECT format('tt{:07d}', i) AS tconst,
        CASE WHEN h(i, 1) % 100 < 6 THEN 'movie' WHEN h(i, 1) % 100 < 15 THEN 'short'
            ELSE 'tvEpisode' END AS "titleType",
        phrase(i, 1 + h(i, 2) % 4) AS "primaryTitle", "primaryTitle" AS "originalTitle",
        (h(i, 3) % 50 = 0)::INTEGER AS "isAdult", 1920 + h(i, 4) % 105 AS "startYear",
        '\N' AS "endYear", orNull(i, 5, 10, 40 + h(i, 6) % 120) AS "runtimeMinutes",
        orNull(i, 7, 20, ['Drama', 'Comedy,Romance', 'Action,Crime,Thriller',
            'Documentary'][1 + h(i, 8) % 4]) AS genres
    FROM range(1, $titles + 1) AS t(i);

CREATE VIEW "title.ratings" AS
    SELECT format('tt{:07d}', i) AS tconst, 1 + h(i, 9) % 90 / 10 AS "averageRating",
        5 + h(i, 10) % 100000 AS "numVotes"
    FROM range(1, $titles + 1) AS t(i) WHERE h(i, 11) % 8 = 0;

CREATE VIEW "title.crew" AS
    SELECT format('tt{:07d}', i) AS tconst, orNull(i, 12, 3, person(i, 13)) AS directors,
        orNull(i, 14, 2, person(i, 15) || ',' || person(i, 16)) AS writers
    FROM range(1, $titles + 1) AS t(i);

CREATE VIEW "title.principals" AS
    SELECT format('tt{:07d}', 1 + (i / $principals_per_title)::BIGINT % $titles)
            AS tconst,
        1 + i % 10 AS ordering, person(i, 17) AS nconst,
        ['actor', 'actress', 'self', 'director', 'writer', 'producer', 'composer',
            'editor'][1 + h(i, 18) % 8] AS category,
        orNull(i, 19, 4, 'producer') AS job,
        orNull(i, 20, 2, '["' || phrase(i, 2) || '"]') AS characters
    FROM range($principals) AS t(i);

CREATE VIEW "name.basics" AS
    SELECT format('nm{:07d}', i) AS nconst, phrase(i, 2) AS "primaryName",
        orNull(i, 21, 10, 1900 + h(i, 22) % 100) AS "birthYear", '\N' AS "deathYear",
        'actor,producer' AS "primaryProfession",
        format('tt{:07d},tt{:07d}', 1 + h(i, 23) % $titles, 1 + h(i, 24) % $titles)
            AS "knownForTitles"
    FROM range($names) AS t(i);

CREATE VIEW "title.plots" AS
    SELECT format('tt{:07d}', i) AS tconst, phrase(i, 20 + h(i, 25) % 60) || '.' AS plot
    FROM range(1, $titles + 1) AS t(i)
    WHERE h(i, 1) % 100 < 6 AND h(i, 26) % 5 = 0;
