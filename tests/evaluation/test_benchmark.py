import json

SCRIPT = """
import sys
from benchmarks.semi_supervised import main
sys.exit(main(["--points", "1000", "--repeats", "2", "--output", {output!r}]))
"""


def test_benchmark_compares_labels_and_writes_its_ratio(run_python, tmp_path):
    output = tmp_path / "new" / "ratio.json"
    printed = run_python(SCRIPT.format(output=str(output)))
    (result,) = json.loads(output.read_text())["results"]
    assert result["agreement"] == 1
    assert result["differing_labels"] == [0, 0, 0]
    assert result["n_labelled"] == [2, 20, 200]
    # Two models on one side; two models and five draws of each cell on the other.
    ours = [2 * seconds for seconds in result["ours_one_model_seconds"]]
    naive = [10 * sum(cells) for cells in zip(*result["naive_cell_seconds"], strict=True)]
    low, high = result["ratio_range"]
    assert low == min(naive) / max(ours)
    assert high == max(naive) / min(ours)
    assert low <= result["ratio"] <= high
    assert f"{result['ratio']:.1f} times as fast" in printed
