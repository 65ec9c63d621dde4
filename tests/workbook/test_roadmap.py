import nbformat
import pytest

from graspbook.workbook.roadmap import heading, roadmap, source_notebooks

WORDS = {
    "0_tour": "# A tour\n\nTwo minutes.",
    "paper/2_data": "# 2 · Data\n\nA sentence.\n\nWhich grasps\nhold?",
    "paper/10_end": "# 10 · End\n\nThe last one.",
}


@pytest.fixture
def written(toy_workbook):
    """A workbook with three notebooks, and what JupyterLab leaves beside them."""
    for name in (*WORDS, "paper/.ipynb_checkpoints/2_data-checkpoint", "paper/.2_data"):
        path = toy_workbook.root / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [nbformat.v4.new_markdown_cell(WORDS.get(name, "# A copy"))]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return toy_workbook.root


def test_notebooks_are_found_in_order_and_jupyterlab_s_copies_are_passed_over(written):
    assert source_notebooks(written) == ["0_tour", "paper/2_data", "paper/10_end"]


def test_the_table_names_a_folder_s_notebooks_the_present_one_bold(written):
    assert roadmap("paper/2_data").data.splitlines()[2:] == [
        "| **2 · Data** | **Which grasps hold?** |",
        "| [10 · End](10_end.ipynb) | The last one. |",
    ]
    assert "| [2 · Data](2_data.ipynb) | Which grasps hold? |" in roadmap("paper/10_end").data


def test_a_notebook_without_words_has_no_heading():
    assert heading(nbformat.v4.new_notebook()) == [""]
