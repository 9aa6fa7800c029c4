import math

from shown import shown

from handgrad.training import Epoch, History, Scores, Step


def epoch(number: int, *, best: bool = False, loss: float = 0.5, complete: bool = True) -> Epoch:
    scores = {"validation": Scores(0.4, 0.9 + number / 10_000, 100)}
    return Epoch(number, loss, scores, 0.1, 1.0, 0.25, is_best=best, complete=complete)


def test_a_history_is_curves_and_a_table_of_its_epochs() -> None:
    read = shown(History(epochs=[epoch(1, best=True), epoch(2, best=True), epoch(3)]))
    assert "3 epochs in 0.75 s: loss 0.5000, validation 90.03 %, best 90.02 % in epoch 2" in read.text
    assert len(read.charts) == 2
    assert read.rows[0][:4] == ["epoch", "train loss", "validation loss", "validation accuracy"]
    assert [row[-1] for row in read.rows[1:]] == ["", "best", ""]


def test_of_amounts_there_is_a_loss_and_no_accuracy() -> None:
    epochs = [Epoch(n, 1 / n, {"validation": Scores(2 / n, math.nan, 9)}, 0.1, 1.0, 0.1, n == 2) for n in (1, 2, 3)]
    read = shown(History(epochs=epochs))
    assert "loss 0.3333, validation loss 0.6667, best loss 1.0000 in epoch 2" in read.text
    assert read.rows[0] == ["epoch", "train loss", "validation loss", "learning rate", "time", ""]
    assert len(read.charts) == 1
    assert shown(epochs[2].scores["validation"]).rows[1] == ["—", "0.6667", "9"]


def test_of_very_many_epochs_an_even_selection_and_the_best_are_shown() -> None:
    epochs = [epoch(number, best=number == 777) for number in range(1, 100_001)]
    read = shown(History(epochs=epochs))
    numbers = [row[0] for row in read.rows[1:]]
    assert len(numbers) == 31
    assert {"1", "777", "100,000"} <= set(numbers)
    assert "31 of 100,000 epochs." in read.text
    assert len(read.source) < 40_000


def test_what_is_not_finite_is_said_and_not_drawn() -> None:
    read = shown(History(epochs=[epoch(1), epoch(2, loss=math.nan), epoch(3, complete=False)]))
    assert read.rows[2][1] == "not finite"
    assert read.rows[3][-1] == "not finished"
    assert "the last epoch was not finished" in read.text
    assert "nan" not in read.source


def test_before_the_first_epoch_a_history_says_so() -> None:
    assert shown(History()).text == "No epochs yet."
    step = Step(1, 1, 1, 10, loss=2.5, learning_rate=0.1, gradient_norm=1.0)
    assert shown(History(steps=[step])).text == "No epochs yet, 1 step."


def test_without_monitors_there_is_one_curve() -> None:
    plain = [Epoch(number, 1 / number, {}, 0.1, 1.0, 0.1) for number in (1, 2)]
    read = shown(History(epochs=plain))
    assert len(read.charts) == 1
    assert read.rows[0] == ["epoch", "train loss", "learning rate", "time", ""]


def test_monitors_names_are_escaped() -> None:
    strange = Epoch(1, 0.5, {"<script>": Scores(0.1, 0.5, 2)}, 0.1, 1.0, 0.1)
    assert "<script> loss" in shown(strange).rows[0]


def test_single_records_are_rows() -> None:
    assert shown(Scores(0.25, 0.9715, 10_000)).rows[1] == ["97.15 %", "0.2500", "10,000"]
    assert shown(epoch(3)).rows[1] == ["3", "0.5000", "0.4000", "90.03 %", "0.1", "0.25 s", ""]
    step = Step(12, 2, 5, 7, loss=2.5, learning_rate=0.1, gradient_norm=1.0)
    assert shown(step).rows[1] == ["12", "2", "5 of 7", "2.5000", "0.1", "1"]
