"""Figures: letters that can be read, few curves in full, one legend for all of the page."""

from matplotlib.text import Text

from ssml.report import figures, focus, pictures
from tests.report.parsed import by_class, by_id, parse, text_of


def test_no_letter_is_smaller_than_twelve_pixels(plates):
    for picture in (picture for plate in plates for picture in plate.pictures):
        figure = picture.drawing.figure
        sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text()]
        assert min(sizes) >= figures.SMALLEST == 12 * 72 / 96
        # at a phone's width, 390 pixels less the margins, a figure is not made smaller
        if plate_of(plates, picture).kind not in ("si-sdr", "wer"):
            assert figure.get_size_inches()[0] * 96 <= 390 - 2 * 16


def plate_of(plates, picture) -> pictures.Plate:
    return next(plate for plate in plates if picture in plate.pictures)


def test_at_most_five_curves_have_bands_and_the_others_are_thin(made, plates):
    (plate,) = [plate for plate in plates if plate.kind == "convergence"]
    for picture in plate.pictures:
        (axes,) = picture.drawing.figure.axes
        thick = [line.get_label() for line in axes.lines if line.get_linewidth() > 1]
        assert len(axes.collections) == len(thick) <= focus.MOST == 5
        assert set(thick) == set(focus.prominent(made[1]))
        assert len(axes.lines) == len(made[1].methods)


def test_a_file_has_its_legend_and_the_page_has_one_for_all(made, plates, written):
    (plate,) = [plate for plate in plates if plate.kind == "convergence"]
    drawing = plate.pictures[0].drawing
    assert 'id="legend' in drawing.svg and 'id="legend' not in drawing.bare
    assert 'id="legend' in drawing.svg and len(drawing.figure.legends) == 1
    root = parse(written)
    (legend,) = by_class(root, "legend")
    assert [text_of(entry) for entry in legend] == ["mixture", *made[1].methods]
    assert 'id="legend' not in "".join(p.inline for plate in plates for p in plate.pictures)
    assert legend in list(by_id(root, "figures"))


def test_every_marker_can_be_drawn_on_the_page():
    from ssml.report import styles

    used = {marker for _, marker in (*styles.CLASSICAL, *styles.BOUNDS, *styles.LEARNED)}
    assert used | {"x", "*"} == set(styles.PATHS)
