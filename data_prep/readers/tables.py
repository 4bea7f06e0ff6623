"""Small text files beside a data set's images: tables with a header, and what a phantom says of itself."""

import csv
import json


def read_rows(path, columns):
    """Read some columns of a table.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, with or without Excel's byte order mark; the header may name more columns, in any order.
    columns : tuple of str

    Returns
    -------
    list of tuple
        Line in the file, from 1, and the values of the columns, stripped, "" where there is none.

    Raises
    ------
    ValueError
        When the header lacks a column, or the file is no text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            header = rows.fieldnames or []
            if not set(columns) <= set(header):
                raise ValueError(
                    f"expected the columns {','.join(columns)}. Received: {','.join(header) or 'nothing'}."
                )
            return [(rows.line_num, *((row[name] or "").strip() for name in columns)) for row in rows]
    except (ValueError, csv.Error) as error:  # also letters that are not UTF-8
        raise ValueError(f"{path}: {error}") from error


def require_complete(path, lines, files, kind):
    """Hold a table against the folder: each file stands in it once, and it names no other.

    Parameters
    ----------
    path : Path
        Of the table.
    lines : list of tuple
        Line in the table and name of a file, without suffix.
    files : collection of str
        Those on disk.
    kind : str
        What the files are, for the text of an error.

    Raises
    ------
    ValueError
        When a name is missing, or stands there twice.
    FileNotFoundError
        When the table names a file that is not on disk, or leaves one out.
    """
    seen = set()
    for line, name in lines:
        if not name or name in seen:
            raise ValueError(
                f"{path}, line {line}: expected each {kind} once. Received: {name!r}{' again' * bool(name)}."
            )
        if name not in files:
            raise FileNotFoundError(
                f"{path}, line {line}: expected a name on disk ({kind}, no suffix). Received: {name!r}, no such file."
            )
        seen.add(name)
    unlisted = [name for name in files if name not in seen]
    if unlisted:
        raise FileNotFoundError(
            f"{path}: expected every {kind} on disk in the table. Received: {len(unlisted)} without a line, first "
            f"{unlisted[0]!r}. Add them or take the files away."
        )


def read_phantom(folder):
    """Return what `phantom.json` says of a folder's images, at least its caveat; {} where there is no such file."""
    path = folder / "phantom.json"
    if not path.is_file():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return about | {"caveat": str(about["caveat"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected {{"caveat": "phantom: ..."}}. Received: {error!r}.') from error
