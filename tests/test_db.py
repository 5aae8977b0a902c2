"""A connection whose other end has gone without a word is given up, by us and by PostgreSQL."""

import sqlalchemy as sa

from outreach import db


def test_postgres_lets_go_of_the_rows_of_a_worker_that_stands_still(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(sa.text("show idle_in_transaction_session_timeout")) == "2min"


def test_what_the_address_says_of_the_session_stays(database_url: str) -> None:
    address = sa.make_url(database_url).update_query_dict({"options": "-c work_mem=5MB"})
    engine = db.make_engine(address.render_as_string(hide_password=False), pool=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("show work_mem")) == "5MB"
        assert connection.scalar(sa.text("show idle_in_transaction_session_timeout")) == "2min"


def test_neither_side_waits_for_ever_on_a_network_that_is_gone(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        given = connection.connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]  # psycopg's own
    assert {name: given[name] for name in db.OUR_PATIENCE} == {name: str(value) for name, value in db.OUR_PATIENCE.items()}
    for name, value in db.ITS_PATIENCE.items():
        assert f"-c {name}={value}" in given["options"]
