"""Networks on what is shared are those on patches, to the bit; nothing stale is used, nothing is left behind."""

import weakref

import numpy as np
import pytest

from data_prep.kept_patches import KeptPatches
from repro import networks, prefix
from repro.finetune import ARMS
from repro.profiles import load_profile
from repro.runs import Data, Run

CHANGES = [
    "network.fc_units=24",
    "training.checks_per_decade=0",
    "training.max_epochs=2",
    "training.batch_size=8",
    "training.patience=2",
]


class Patches:
    """23 patches that train, 11 that validate and 14 that test 7 candidates, from noise with a bright half."""

    caveats = ()

    def __init__(self):
        self.cuts = 0

    def training(self):
        return Table(self, 23, 1), Table(self, 11, 2)

    def testing(self):
        return Table(self, 14, 3), np.repeat(np.arange(7), 2)


class Table:
    """Patches that count how many of them were cut."""

    size = 67

    def __init__(self, owner, number, seed):
        draw = np.random.default_rng(seed)
        self.owner, self.labels = owner, np.arange(number) % 2
        self._patches = draw.integers(0, 200, (number, 67, 67, 3), dtype=np.uint8)
        self._patches[self.labels == 1, 30:] += 40

    def __len__(self):
        return len(self.labels)

    def cut(self, rows):
        self.owner.cuts += len(np.unique(rows))
        return self._patches[rows]


@pytest.fixture(autouse=True)
def without_imagenet(monkeypatch):
    """Let five layers count as filled, by nothing."""
    monkeypatch.setattr(networks, "fitting_layers", lambda *_: ("conv1", "conv2", "conv3", "conv4", "conv5"))
    monkeypatch.setattr(networks, "load_imagenet", lambda *_, layers: layers)


def run(arm, weights="imagenet", seed=3, changes=()):
    settings = load_profile("smoke", [*CHANGES, *changes]).settings("polyp")
    return Run("polyp", arm, 1.0, seed, weights, "smoke", settings, Data("d", "", "f"))


def learn(one, patches=None):
    """Perform a run's network; return its history without seconds, and the scores of candidates."""
    record = {"caveats": []}
    scores = networks.classify(one, patches or Patches(), record)
    epochs = [{**epoch, "seconds": 0} for epoch in record["history"]["epochs"]]
    return epochs, scores, record["patches"]


@pytest.mark.parametrize(("weights", "depths"), [("imagenet", ARMS), ("bvlc", ("fc8", "conv4", "conv2", "conv1"))])
def test_every_depth_is_the_same_to_the_bit(weights, depths, tmp_path):
    """Both variants: with LRN and groups, and without. Dropout above the cut included."""
    wanted = [run(arm, weights) for arm in depths]
    alone = [learn(one) for one in wanted]
    with prefix.sharing(wanted, tmp_path):
        shared = [learn(one) for one in wanted]
    for arm, (epochs, scores, numbers), (epochs_too, scores_too, numbers_too) in zip(
        depths, alone, shared, strict=True
    ):
        assert epochs == epochs_too, arm
        np.testing.assert_array_equal(scores, scores_too, err_msg=arm)
        assert numbers == numbers_too == {"training": 23, "validation": 11, "testing": 14}
    assert len({tuple(scores) for _, scores, _ in alone}) == len(depths)


def test_the_pass_is_paid_once_for_all_depths(tmp_path):
    """48 patches in all, cut once for three depths; those of testing again for conv1, which has no prefix."""
    wanted = [run(arm) for arm in ("fc8", "fc6", "conv3", "conv1")]
    patches = Patches()
    with prefix.sharing(wanted, tmp_path):
        for one in wanted[:-1]:
            learn(one, patches)
        assert patches.cuts == 23 + 11 + 14
        learn(wanted[-1], patches)
    assert patches.cuts == 48 + 14


def test_patches_are_cut_once_for_all_epochs_and_for_both_that_learn_all(tmp_path):
    """Two epochs each, and then a prefix; in a sweep of conv1 alone as well."""
    wanted, patches = [run("scratch"), run("conv1"), run("conv5")], Patches()
    with prefix.sharing(wanted, tmp_path):
        for one, tested in zip(wanted, (1, 2, 3), strict=True):
            learn(one, patches)
            assert patches.cuts == 23 + 11 + 14 * tested
    alone = Patches()
    with prefix.sharing(wanted[1:2], tmp_path):
        learn(wanted[1], alone)
    assert alone.cuts == 48


def test_another_seed_has_other_dropout_and_shares_nothing(tmp_path):
    """Its random fc6 and its patches are others."""
    wanted = [run("fc7", seed=3), run("fc8", seed=3), run("fc7", seed=4)]
    assert prefix.group(wanted[0]) == prefix.group(wanted[1]) != prefix.group(wanted[2])
    patches = Patches()
    with prefix.sharing(wanted, tmp_path):
        found = [learn(one, patches) for one in wanted]
    assert patches.cuts == 2 * 48
    assert found[0][0] != found[2][0]


def test_dropout_above_the_cut_differs_by_seed_alone(monkeypatch, tmp_path):
    """The same start by weights of one seed; batches in one order; only the dropout layers' seeds differ."""
    built = networks.build_alexnet
    losses = []
    for drop_seed in (11, 11, 12):

        def build(*args, drop_seed=drop_seed, **kwargs):
            model = built(*args, **kwargs)
            for name in ("drop6", "drop7"):
                generator = model.get_layer(name).seed_generator
                generator.state.assign(np.array([drop_seed, 0], dtype=generator.state.dtype))
            return model

        monkeypatch.setattr(networks, "build_alexnet", build)
        with prefix.sharing([run("fc7")], tmp_path):
            losses.append([epoch["loss"] for epoch in learn(run("fc7"))[0]])
    assert losses[0] == losses[1] != losses[2]


def test_what_other_weights_made_is_not_used(tmp_path):
    """The same group by name, but a network that starts elsewhere, as after an interrupted download."""
    one, patches = run("fc6"), Patches()
    model, _ = networks.prepare_network(one, num_classes=2)
    table = patches.training()[0]
    with prefix.sharing([one], tmp_path):
        before = prefix.Split(one, model).of(training=table)[1].values.copy()
        kernel = model.get_layer("conv2").kernel
        kernel.assign(kernel * 1.5)
        after = prefix.Split(one, model).of(training=table)[1].values
    assert patches.cuts == 2 * 23, "no run of this sweep keeps patches"
    assert not np.array_equal(before, after)


def test_what_is_kept_holds_no_table(tmp_path):
    """A table holds decoded frames: one of an earlier run, a gigabyte beside that of the next."""
    wanted, model = [run("conv1"), run("scratch")], networks.prepare_network(run("conv1"), num_classes=2)[0]
    first, second = Patches().training()[0], Patches().training()[0]
    with prefix.sharing(wanted, tmp_path):
        prefix.Split(wanted[0], model).of(training=first)[1].cut(np.arange(20))
        gone = weakref.ref(first)
        del first
        assert gone() is None
        kept = prefix.Split(wanted[1], model).of(training=second)[1]
        np.testing.assert_array_equal(kept.cut(np.arange(23)), Patches().training()[0].cut(np.arange(23)))
    assert second.owner.cuts == 3


def test_large_tables_lie_in_files_which_are_removed(monkeypatch, tmp_path):
    wanted = [run("fc6"), run("conv1"), run("conv3")]
    alone = [learn(one)[1] for one in wanted]
    monkeypatch.setattr(prefix, "MEMORY", 1000)
    with prefix.sharing(wanted, tmp_path):
        shared = [learn(one)[1] for one in wanted]
        files = {path.name for path in tmp_path.rglob("*.npy")}
    sides, again = ("training", "validation", "testing"), {"training_patches.npy", "validation_patches.npy"}
    assert files == again | {f"{side}_{cut}.npy" for side in sides for cut in ("flatten", "pool2")}
    np.testing.assert_array_equal(alone, shared)
    assert not list(tmp_path.iterdir())


def test_a_run_that_shares_nothing_lets_another_group_s_files_go(monkeypatch, tmp_path):
    monkeypatch.setattr(prefix, "MEMORY", 1000)
    wanted = [run("conv3"), run("conv1", seed=4)]
    model, table = networks.prepare_network(wanted[0], num_classes=2)[0], Patches().training()[0]
    with prefix.sharing(wanted, tmp_path):
        prefix.Split(wanted[0], model).of(training=table)
        assert len(list(tmp_path.rglob("*.npy"))) == 1
        prefix.Split(run("conv1"), model)
        assert len(list(tmp_path.rglob("*.npy"))) == 1
        prefix.Split(wanted[1], model)
        assert list(tmp_path.rglob("*.npy")) == []


def test_what_no_disk_can_hold_is_learnt_from_as_patches(monkeypatch, tmp_path):
    """Room for conv5's activations of the training table and of validation, but not of the larger testing table."""
    monkeypatch.setattr(Patches, "training", lambda self: (Table(self, 12, 1), Table(self, 11, 2)))
    alone, patches = learn(run("conv5"))[1], Patches()
    shape = networks.prepare_network(run("conv5"), 2)[0].get_layer("relu4").output.shape[1:]
    monkeypatch.setattr(prefix, "DISK_SHARE", 0)
    monkeypatch.setattr(prefix, "MEMORY", 4 * 13 * int(np.prod(shape)))
    with prefix.sharing([run("conv5")], tmp_path):
        np.testing.assert_array_equal(learn(run("conv5"), patches)[1], alone)
    assert patches.cuts == 12 + 11 + 14


def test_patches_that_no_disk_can_hold_are_cut_in_every_epoch(monkeypatch, tmp_path):
    """Room for those of validation, and for no others."""
    patches = Patches()
    monkeypatch.setattr(prefix, "PATCHES_SHARE", 0)
    monkeypatch.setattr(prefix, "MEMORY", 22 * 67**2 * 3)
    with prefix.sharing([run("conv1")], tmp_path):
        learn(run("conv1"), patches)
        assert not list(tmp_path.iterdir())
    assert patches.cuts == 2 * 23 + 11 + 14


def test_of_several_cuts_the_small_ones_are_kept_where_not_all_fit(monkeypatch, tmp_path):
    wanted, patches = [run("fc6"), run("conv3")], Patches()
    model = networks.prepare_network(run("fc6"), 2)[0]
    sizes = [int(np.prod(model.get_layer(cut).output.shape[1:])) for cut in ("flatten", "pool2")]
    monkeypatch.setattr(prefix, "DISK_SHARE", 0)
    monkeypatch.setattr(prefix, "MEMORY", 4 * 23 * sum(sizes) - 1)
    with prefix.sharing(wanted, tmp_path):
        table = patches.training()[0]
        learner, features = prefix.Split(run("fc6"), model).of(training=table)
        assert (len(features), features.values.shape[1]) == (23, sizes[0])
        assert learner.layers[-1] is model.layers[-1]
        deep = networks.prepare_network(run("conv3"), 2)[0]
        assert prefix.Split(run("conv3"), deep).of(training=table) == (deep, table)
    assert patches.cuts == 23


def test_nothing_is_shared_outside_a_sweep():
    model, table = networks.prepare_network(run("conv1"), num_classes=2)[0], Patches().training()[0]
    for arm in ("fc8", "conv1"):
        assert prefix.Split(run(arm), model).of(training=table) == (model, table)


def test_what_is_kept_already_or_cut_as_fast_or_looked_at_once_is_not_kept(tmp_path):
    model, table = networks.prepare_network(run("conv1"), num_classes=2)[0], Patches().training()[0]
    kept = KeptPatches(table)
    with prefix.sharing([run("conv1")], tmp_path):
        assert prefix.Split(run("conv1"), model).of(training=kept, testing=table) == (model, kept, table)
        assert isinstance(prefix.Split(run("conv1"), model).of(training=table)[1], KeptPatches)


def test_float16_takes_half_the_room_and_is_rounded_whoever_shares_it(tmp_path):
    """Alone or with other depths: the same network, and another than that of float32."""
    half = [run(arm, changes=["training.prefix=float16"]) for arm in ("fc6", "conv4")]
    assert prefix.group(half[0]) != prefix.group(run("fc6"))
    with prefix.sharing(half, tmp_path):
        together = [learn(one)[1] for one in half]
        model, table = networks.prepare_network(half[1], num_classes=2)[0], Patches().training()[0]
        kept = prefix.Split(half[1], model).of(training=table)[1]
    assert (kept.values.dtype, kept.cut([0]).dtype) == (np.float16, np.float32)
    with prefix.sharing(half[1:], tmp_path):
        np.testing.assert_array_equal(learn(half[1])[1], together[1])
    assert not np.array_equal(learn(run("conv4"))[1], together[1])
    with pytest.raises(OSError, match=r"no room .*training\.prefix=float16\)\. Make room"):
        learn(half[1])


def test_the_outer_sharing_goes_on_until_it_ends(tmp_path):
    """Each run of a sweep is performed within a sharing of its own, as one that is performed alone."""
    wanted, patches = [run("fc8"), run("conv5")], Patches()
    with prefix.sharing(wanted, tmp_path):
        for one in wanted:
            with prefix.sharing([one], tmp_path):
                learn(one, patches)
        assert patches.cuts == 48
    assert prefix.Split(wanted[0], None).of(training=patches) == (None, patches)


def test_runs_that_share_stand_together_and_one_process_gets_the_shallow_ones():
    wanted = [run(arm, seed=seed) for arm in ("conv1", "fc8", "conv2", "conv4") for seed in (1, 2)]
    arranged = [(one.seed, one.arm) for one in prefix.arrange(wanted)]
    assert arranged == [(seed, arm) for seed in (1, 2) for arm in ("conv1", "fc8", "conv2", "conv4")]
    divided = [[(one.seed, one.arm) for one in batch] for batch in prefix.batches(wanted)]
    assert divided[:2] == [[(1, "fc8"), (1, "conv4")], [(2, "fc8"), (2, "conv4")]]
    assert sorted(divided[2:]) == [[(seed, arm)] for seed in (1, 2) for arm in ("conv1", "conv2")]
