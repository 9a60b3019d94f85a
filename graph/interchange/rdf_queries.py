"""What is asked of the scratch database that holds an RDF file: its triples, and those reified.

Terms are kept as their codes (``rdf_terms.Term``), predicates as IRIs.
"""

from __future__ import annotations

from graph.interchange import rdf_terms as terms

SCHEMA = """
CREATE TABLE triples (line INTEGER, s TEXT, p TEXT, o TEXT, language TEXT);
CREATE TABLE reified (node TEXT, s TEXT, p TEXT, o TEXT, language TEXT);
"""

PREPARE = f"""
CREATE INDEX about ON triples (s);
INSERT INTO reified
    SELECT s, max(o) FILTER (WHERE p = '{terms.SUBJECT}'),
           max(substr(o, 2)) FILTER (WHERE p = '{terms.PREDICATE}' AND o LIKE '<%'),
           max(o) FILTER (WHERE p = '{terms.OBJECT}'),
           max(language) FILTER (WHERE p = '{terms.OBJECT}')
    FROM triples WHERE p IN {terms.PARTS} GROUP BY s
    HAVING count(DISTINCT p) = 3 AND count(DISTINCT p || ' ' || o) = 3;
CREATE INDEX told ON reified (s, p, o);
CREATE INDEX told_by ON reified (node);
CREATE TABLE nodes AS
    SELECT s AS node, min(rowid) AS first FROM triples
    WHERE s IN (SELECT node FROM reified UNION SELECT s FROM triples WHERE p IN {terms.PARTS})
    GROUP BY s;
CREATE UNIQUE INDEX node ON nodes (node);
"""

FACTS = f"""
SELECT line, s, p, o, language, first IS NOT NULL
FROM triples LEFT JOIN nodes ON node = s
WHERE triples.rowid = first
   OR first IS NULL AND p NOT IN {terms.SETTINGS} AND NOT EXISTS
          (SELECT 1 FROM reified AS r WHERE r.s = triples.s AND r.p = triples.p
           AND r.o = triples.o AND r.language IS triples.language)
ORDER BY triples.rowid
"""

TOLD = "SELECT p, o FROM triples WHERE s = ? LIMIT ?"
ABOUT = "SELECT s, p, o, language FROM reified WHERE node = ? LIMIT ?"
SETTINGS = f"SELECT s, line, p, o FROM triples WHERE p IN {terms.SETTINGS} ORDER BY s"
RELATIONS = f"SELECT DISTINCT s FROM triples WHERE p IN {terms.SETTINGS}"
KEEP_TRIPLE = "INSERT INTO triples VALUES (?, ?, ?, ?, ?)"
KEEP_REIFIED = "INSERT INTO reified VALUES (?, ?, ?, ?, ?)"
