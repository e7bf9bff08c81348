"""The contract of `CategoryMatches`."""

import redis

from shared.adapters.redis.course_data.links import CategoryMatches
from shared.adapters.redis.keys import Keys
from shared.domain.passback.rules.categories import CategoryAssociation

HOMEWORK = CategoryAssociation(frozenset({61, 91}), district_category_id=5)


def test_an_association_comes_back_until_it_is_forgotten(client: redis.Redis, keys: Keys) -> None:
    """What is saved is read exactly, per course and group; forgetting twice is forgetting once."""
    store = CategoryMatches(client, keys)
    store.save("101", "31", CategoryAssociation(frozenset({61})))
    store.save("101", "31", HOMEWORK)
    store.save("102", "31", CategoryAssociation(frozenset({7})))
    assert store.of_course("101") == {"31": HOMEWORK}
    store.delete("101", "31")
    store.delete("101", "31")
    assert store.of_course("101") == {}
    assert store.of_course("102") == {"31": CategoryAssociation(frozenset({7}))}


def test_the_district_s_map_is_one_of_all_courses(client: redis.Redis, keys: Keys) -> None:
    """Names of groups are compared without case and outer spaces; saving adds to the others."""
    store = CategoryMatches(client, keys)
    store.save_to_map({" Homework ": " Daily Work ", "Straße": "Tests"})
    store.save_to_map({"HOMEWORK": "Practice"})
    store.save_to_map({})
    assert store.district_map() == {"homework": "Practice", "strasse": "Tests"}
    assert store.of_course("101") == {}
    assert store.delete_from_map("homeWork")
    assert not store.delete_from_map("homeWork")
    assert store.district_map() == {"strasse": "Tests"}
