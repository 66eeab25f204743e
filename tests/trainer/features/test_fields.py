"""Hiding fields."""

import numpy as np
from keras import ops

from schema import features as raw
from trainer.features import fields
from transform import features as xf


def test_a_hidden_role_leaves_the_others() -> None:
    ids = {name: np.array([[3, 4], [5, 0]], np.int32) for name in xf.PEOPLE_IDS.values()}
    lifts = np.ones((2, 4 * fields.LIFT_SIZE), np.float32)
    roles = np.ones((2, len(raw.PEOPLE)), np.float32)
    place = raw.PEOPLE.index(raw.WRITERS)
    roles[0, place] = 0
    kept = fields.without_role({**ids, fields.PEOPLE_LIFTS: lifts}, ops.convert_to_tensor(roles))
    writers = xf.PEOPLE_IDS[raw.WRITERS]
    np.testing.assert_array_equal(kept[writers], [[0, 0], [5, 0]])
    for name in ids.keys() - {writers}:
        np.testing.assert_array_equal(kept[name], ids[name])
    hidden = np.asarray(kept[fields.PEOPLE_LIFTS]) == 0
    assert hidden.sum() == fields.LIFT_SIZE
    assert hidden[0, place * fields.LIFT_SIZE : (place + 1) * fields.LIFT_SIZE].all()
