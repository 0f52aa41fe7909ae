//! A plot of one or more curves as SVG: two axes, linear or logarithmic, lines with points, and a
//! legend. It is readable on light and dark backgrounds.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// These colours are distinct for colour-blind readers too (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777"];
const DASHES: [&str; 3] = ["", "6 3", "2 3"];

/// One axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// The quantity, with its unit.
    pub label: &'static str,
    /// Whether the axis is logarithmic. Then values that are not above zero are not drawn.
    pub log: bool,
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// A short name, for its file.
    pub name: &'static str,
    /// The name of the table after which the page shows it.
    pub after: &'static str,
    /// The title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves, each with its name.
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// Maps values to coordinates.
struct Scale {
    log: bool,
    min: f64,
    max: f64,
    from: f64,
    to: f64,
}

impl Plot {
    /// The plot as an SVG document.
    pub fn svg(&self) -> String {
        let x = Scale::new(self.x, self.points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Scale::new(self.y, self.points().map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
            escaped(&self.title)
        );
        self.axes(&mut svg, &x, &y);
        for (place, (name, points)) in self.curves.iter().enumerate() {
            curve(&mut svg, place, name, points.iter().filter(|point| self.is_drawn(point)), &x, &y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.curves.iter().flat_map(|(_, points)| points).filter(|point| self.is_drawn(point))
    }

    fn is_drawn(&self, (x, y): &(f64, f64)) -> bool {
        let fits = |axis: Axis, value: f64| value.is_finite() && (!axis.log || value > 0.0);
        fits(self.x, *x) && fits(self.y, *y)
    }

    fn axes(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for value in x.ticks() {
            let at = x.place(value);
            push(svg, format_args!("<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#dddddd\"/>"));
            let text = tick(value);
            push(
                svg,
                format_args!(
                    "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                    bottom + 16.0
                ),
            );
        }
        for value in y.ticks() {
            let at = y.place(value);
            push(svg, format_args!("<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#dddddd\"/>"));
            let (text, left, base) = (tick(value), LEFT - 6.0, at + 4.0);
            push(
                svg,
                format_args!("<text x=\"{left:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{text}</text>"),
            );
        }
        push(
            svg,
            format_args!("<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#333333\"/>"),
        );
        let (middle, low) = (f64::midpoint(LEFT, right), HEIGHT - 12.0);
        let label = escaped(self.x.label);
        push(svg, format_args!("<text x=\"{middle:.1}\" y=\"{low}\" text-anchor=\"middle\">{label}</text>"));
        let (middle, label) = (f64::midpoint(TOP, bottom), escaped(self.y.label));
        let turned = format!("translate(16 {middle:.1}) rotate(-90)");
        push(svg, format_args!("<text transform=\"{turned}\" text-anchor=\"middle\">{label}</text>"));
    }
}

/// Draws one curve, its points, and its line in the legend.
fn curve<'a>(
    svg: &mut String,
    place: usize,
    name: &str,
    points: impl Iterator<Item = &'a (f64, f64)>,
    x: &Scale,
    y: &Scale,
) {
    let (colour, dash) = (COLOURS[place % COLOURS.len()], DASHES[place / COLOURS.len() % DASHES.len()]);
    let mut path = String::new();
    for (number, (of_x, of_y)) in points.enumerate() {
        let (at_x, at_y) = (x.place(*of_x), y.place(*of_y));
        let step = if number == 0 { 'M' } else { 'L' };
        write!(path, "{step}{at_x:.1} {at_y:.1}").expect("writing to a String cannot fail");
        push(svg, format_args!("<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"2.5\" fill=\"{colour}\"/>"));
    }
    let stroke =
        format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-dasharray=\"{dash}\"");
    if !path.is_empty() {
        push(svg, format_args!("<path d=\"{path}\" {stroke}/>"));
    }
    let (left, top) = (WIDTH - RIGHT + 12.0, TOP + 10.0 + 18.0 * place as f64);
    push(svg, format_args!("<path d=\"M{left:.1} {top:.1}h20\" {stroke}/>"));
    let (left, base, name) = (left + 26.0, top + 4.0, escaped(name));
    push(svg, format_args!("<text x=\"{left:.1}\" y=\"{base:.1}\">{name}</text>"));
}

impl Scale {
    /// From zero or the lowest value to the highest; on a logarithmic axis to whole powers of ten
    /// around them.
    fn new(axis: Axis, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut min, mut max) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(value), max.max(value)));
        // No point at all: any scale will do, but the axes need one.
        if min > max {
            (min, max) = (1.0, 10.0);
        }
        if axis.log {
            (min, max) = (min.log10().floor(), max.log10().ceil());
        } else {
            min = min.min(0.0);
        }
        // All values are equal; a scale of zero width would divide by zero.
        if max <= min {
            max = min + 1.0;
        }
        Self { log: axis.log, min, max, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        self.from + (self.to - self.from) * (value - self.min) / (self.max - self.min)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = if self.log {
            ((self.max - self.min) / 8.0).ceil().max(1.0)
        } else {
            round_step((self.max - self.min) / 6.0)
        };
        let first = (self.min / step).ceil();
        // 64 is only a guard against an endless iterator; a scale has about 8 ticks.
        let all = (0..64).map(|number| (first + f64::from(number)) * step);
        let within = all.take_while(|value| *value <= self.max + step * 1e-9);
        within.map(|value| if self.log { 10_f64.powf(value) } else { value }).collect()
    }
}

/// The next of 1, 2, and 5 times a power of ten, so that the ticks are round numbers.
fn round_step(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(raw)
}

fn tick(value: f64) -> String {
    let size = value.abs();
    // Very large and very small numbers would not fit beside the axis.
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn push(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").expect("writing to a String cannot fail");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(log: bool, points: Vec<(f64, f64)>) -> Plot {
        let axis = Axis { label: "a < b", log };
        Plot {
            name: "p",
            after: "t",
            title: "T & U".to_owned(),
            x: axis,
            y: axis,
            curves: vec![("c".to_owned(), points)],
        }
    }

    #[test]
    fn points_lie_within_the_frame() {
        for log in [false, true] {
            let svg = plot(log, vec![(1.0, 3.0), (1_000.0, 0.02), (20.0, 7e6)]).svg();
            let of = |name: &str| -> Vec<f64> {
                let start = format!(" {name}=\"");
                let after = svg.split(&start).skip(1);
                after.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
            };
            assert_eq!(of("cx").len(), 3);
            assert!(of("cx").iter().all(|x| (LEFT..=WIDTH - RIGHT).contains(x)), "{svg}");
            assert!(of("cy").iter().all(|y| (TOP..=HEIGHT - BOTTOM).contains(y)), "{svg}");
        }
    }

    #[test]
    /// A plot without any point is still a valid plot.
    fn log_axis_omits_values_without_a_logarithm() {
        assert_eq!(plot(true, vec![(1.0, 0.0), (1.0, 1.0)]).svg().matches("<circle").count(), 1);
        assert!(plot(true, Vec::new()).svg().ends_with("</svg>\n"));
        assert!(plot(false, vec![(0.0, 0.0)]).svg().contains("<circle"));
    }

    #[test]
    fn text_is_escaped() {
        let svg = plot(false, vec![(1.0, 1.0)]).svg();
        assert!(svg.contains("T &amp; U") && svg.contains("a &lt; b"));
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            [0.0, 0.05, 1.5, 2_000.0, 1e6, 1e-4].map(tick),
            ["0", "0.05", "1.5", "2000", "1e6", "1e-4"]
        );
        assert!((round_step(0.9) - 1.0).abs() < 1e-9 && (round_step(13.0) - 20.0).abs() < 1e-9);
    }
}
