//! The process tree as a timeline: a lane a process, from its fork to its end, with a mark for
//! everything that happened in it.

use std::collections::HashMap;

use super::markup::Markup;
use super::scale::Scale;
use crate::explain::cause::Class;
use crate::explain::processes::{Family, Lane, Mark};
use crate::explain::words;
use crate::time::Stamp;

/// Columns of the drawing: where the names end, where time begins, and where it ends.
const NAMES: f64 = 16.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 1110.0;
const WIDTH: f64 = 1160.0;
/// Height of a lane, and of the axis above.
const LANE: f64 = 30.0;
const AXIS: f64 = 34.0;
/// Lanes drawn of one family.
const LANES: usize = 150;
/// Processes of one parent to which the same happened: up to so many are drawn one by one; …
const CROWD: usize = 16;
/// … of more, the first ones, …
const ALIKE: usize = 4;
/// … and of the others, so many together in one lane.
const TOGETHER: usize = 400;

/// How the causes that marks lead to are called on the page.
pub trait Anchors {
    /// The anchor of a cause's step, and what is said of it.
    fn anchor(&self, mark: &Mark) -> Option<(String, String)>;
    /// The same of the fork that made a process.
    fn fork(&self, lane: &Lane) -> Option<(String, String)>;
}

/// One line of the drawing.
enum Row<'a> {
    One(usize, &'a Lane),
    /// Processes to which the same happened, and as to which other one.
    Many(usize, Vec<&'a Lane>, i32),
}

/// What is drawn of a family, and how much of it is not.
struct Layout<'a> {
    rows: Vec<Row<'a>>,
    /// The row that a lane is in.
    row_of: HashMap<usize, usize>,
    left_out: usize,
}

/// What all drawings of a page use.
pub fn definitions(page: &mut Markup) {
    page.raw("<svg width=\"0\" height=\"0\" aria-hidden=\"true\" class=\"definitions\"><defs>")
        .raw("<linearGradient id=\"on\"><stop offset=\"0\" class=\"begin\"/>")
        .raw("<stop offset=\"1\" class=\"fade\"/></linearGradient></defs></svg>");
}

/// Draws a family.
pub fn draw(page: &mut Markup, family: &Family, anchors: &impl Anchors) {
    let layout = layout(family);
    let mut moments = Vec::new();
    for row in &layout.rows {
        let lanes: &[&Lane] = match row {
            Row::One(_, lane) => &[lane],
            Row::Many(_, lanes, _) => lanes,
        };
        for lane in lanes {
            moments.extend([lane.begin, lane.seen]);
            moments.extend(lane.end);
            moments.extend(lane.marks.iter().map(|mark| mark.at));
        }
    }
    let first = moments.iter().min().copied().unwrap_or(Stamp(0));
    let scale = Scale::new(moments, LEFT, RIGHT);
    let height = AXIS + layout.rows.len() as f64 * LANE + 12.0;
    page.raw("<div class=\"scroll\"><svg class=\"timeline\" role=\"group\" viewBox=\"0 0 ")
        .text(WIDTH)
        .raw(" ")
        .text(height)
        .raw("\" width=\"")
        .text(WIDTH)
        .raw("\" height=\"")
        .text(height)
        .raw("\" aria-label=\"processes over time\">");
    let mut drawing = Drawing {
        page,
        scale,
        first,
        bottom: height - 8.0,
        anchors,
    };
    drawing.axis();
    for (y, row) in layout.rows.iter().enumerate() {
        drawing.fork(row, y, &layout.row_of);
    }
    for (y, row) in layout.rows.iter().enumerate() {
        match row {
            Row::One(_, lane) => drawing.bar(lane, y, "life"),
            Row::Many(_, lanes, _) => {
                for lane in spread(lanes) {
                    drawing.bar(lane, y, "life many");
                }
            }
        }
    }
    for row in &layout.rows {
        if let Row::One(_, lane) = row
            && let Some(&above) = lane.parent.and_then(|parent| layout.row_of.get(&parent))
        {
            drawing.forked(lane, above);
        }
    }
    for (y, row) in layout.rows.iter().enumerate() {
        match row {
            Row::One(depth, lane) => drawing.one(lane, *depth, y),
            Row::Many(depth, lanes, like) => drawing.many(lanes, *like, *depth, y),
        }
    }
    page.raw("</svg></div>");
    if layout.left_out > 0 {
        page.raw("<p class=\"quiet\">")
            .text(words::of(layout.left_out, "process is", "processes are"))
            .raw(" not drawn.</p>");
    }
}

/// The lanes in the order of the tree, those alike together.
fn layout(family: &Family) -> Layout<'_> {
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (place, lane) in family.lanes.iter().enumerate() {
        match lane.parent {
            Some(parent) if parent != place => children.entry(parent).or_default().push(place),
            _ => roots.push(place),
        }
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|&place| family.lanes[place].begin);
    }
    let mut layout = Layout {
        rows: Vec::new(),
        row_of: HashMap::new(),
        left_out: 0,
    };
    // What is still to be done, the next one last: a chain of forks may be of any length.
    let mut open: Vec<(usize, Next)> = roots
        .into_iter()
        .rev()
        .map(|root| (0, Next::One(root)))
        .collect();
    while let Some((depth, next)) = open.pop() {
        let full = layout.rows.len() >= LANES;
        match next {
            Next::One(place) => {
                if full {
                    layout.left_out += 1;
                } else {
                    layout.row_of.insert(place, layout.rows.len());
                    layout.rows.push(Row::One(depth, &family.lanes[place]));
                }
                let below = children.get(&place).map_or(&[][..], Vec::as_slice);
                let next = alike(family, below, &children);
                open.extend(next.into_iter().rev().map(|next| (depth + 1, next)));
            }
            Next::Many(places, _) if full => layout.left_out += places.len(),
            Next::Many(places, like) => {
                let lanes = places.iter().map(|&place| &family.lanes[place]).collect();
                layout
                    .rows
                    .push(Row::Many(depth, lanes, family.lanes[like].pid));
            }
        }
    }
    layout
}

enum Next {
    One(usize),
    Many(Vec<usize>, usize),
}

/// Siblings, where many of them are alike: the first ones by themselves, the others together.
fn alike(family: &Family, siblings: &[usize], children: &HashMap<usize, Vec<usize>>) -> Vec<Next> {
    type Story = Vec<(Class, Option<usize>)>;
    let story = |place: usize| -> Option<Story> {
        let lane = &family.lanes[place];
        (!children.contains_key(&place)).then(|| {
            lane.marks
                .iter()
                .map(|mark| (mark.class, mark.cause))
                .collect()
        })
    };
    let mut count: HashMap<Story, usize> = HashMap::new();
    for &place in siblings {
        if let Some(story) = story(place) {
            *count.entry(story).or_default() += 1;
        }
    }
    let mut next = Vec::new();
    // How many there were, the first of them, and where the crowd is.
    let mut seen: HashMap<Story, (usize, usize, Option<usize>)> = HashMap::new();
    for &place in siblings {
        let Some(story) = story(place) else {
            next.push(Next::One(place));
            continue;
        };
        let crowd = count.get(&story).is_some_and(|&many| many > CROWD);
        let (before, like, together) = seen.entry(story).or_insert((0, place, None));
        *before += 1;
        if !crowd || *before <= ALIKE {
            next.push(Next::One(place));
        } else if let Some(Next::Many(places, _)) = together.and_then(|at| next.get_mut(at)) {
            places.push(place);
        } else {
            *together = Some(next.len());
            next.push(Next::Many(vec![place], *like));
        }
    }
    next
}

struct Drawing<'a, A> {
    page: &'a mut Markup,
    scale: Scale,
    first: Stamp,
    bottom: f64,
    anchors: &'a A,
}

/// Of more processes than can be told apart, so many spread over all.
fn spread<'a>(lanes: &'a [&'a Lane]) -> impl Iterator<Item = &'a Lane> {
    let step = lanes.len().div_ceil(TOGETHER).max(1);
    lanes.iter().step_by(step).copied()
}

/// A number of the drawing, with one digit behind the point.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn middle(row: usize) -> f64 {
    AXIS + row as f64 * LANE + LANE / 2.0
}

impl<A: Anchors> Drawing<'_, A> {
    fn axis(&mut self) {
        for (moment, x) in self.scale.ticks(78.0) {
            let label = if moment == self.first {
                moment.fine()
            } else {
                format!("+{}", self.first.until(moment))
            };
            self.page
                .raw("<line class=\"grid\" x1=\"")
                .text(px(x))
                .raw("\" x2=\"")
                .text(px(x))
                .raw("\" y1=\"24\" y2=\"")
                .text(px(self.bottom))
                .raw("\"/><text class=\"tick\" x=\"")
                .text(px(x))
                .raw("\" y=\"16\">")
                .text(label)
                .raw("</text>");
        }
    }

    /// The line from a parent's lane to its child's.
    fn fork(&mut self, row: &Row<'_>, y: usize, row_of: &HashMap<usize, usize>) {
        let lanes: &[&Lane] = match row {
            Row::One(_, lane) => &[lane],
            Row::Many(_, lanes, _) => &lanes[..1],
        };
        for lane in lanes {
            let Some(&above) = lane.parent.and_then(|parent| row_of.get(&parent)) else {
                continue;
            };
            let x = self.scale.x(lane.begin);
            self.page
                .raw("<path class=\"fork\" d=\"M")
                .text(px(x))
                .raw(" ")
                .text(px(middle(above)))
                .raw("V")
                .text(px(middle(y)))
                .raw("\"/>");
        }
    }

    fn name(&mut self, depth: usize, y: usize, name: &str, about: &str) {
        let x = NAMES + depth.min(8) as f64 * 14.0;
        self.page
            .raw("<text class=\"name\" x=\"")
            .text(px(x))
            .raw("\" y=\"")
            .text(px(middle(y) + 4.5))
            .raw("\">")
            .text(name)
            .raw("<tspan class=\"about\" dx=\"8\">")
            .text(about)
            .raw("</tspan></text>");
    }

    fn bar(&mut self, lane: &Lane, y: usize, class: &'static str) {
        let from = self.scale.x(lane.begin);
        let to = self.scale.x(lane.end.unwrap_or(lane.seen));
        self.rectangle(from, to, y, class);
        if lane.end.is_none() {
            // What is not known to have ended goes on beyond what was seen.
            self.rectangle(to, to + 26.0, y, "on");
        }
    }

    fn rectangle(&mut self, from: f64, to: f64, y: usize, class: &'static str) {
        self.page
            .raw("<rect class=\"")
            .raw(class)
            .raw("\" x=\"")
            .text(px(from))
            .raw("\" y=\"")
            .text(px(middle(y) - 4.0))
            .raw("\" width=\"")
            .text(px((to - from).max(2.0)))
            .raw("\" height=\"8\"/>");
    }

    fn one(&mut self, lane: &Lane, depth: usize, y: usize) {
        self.page
            .raw("<g class=\"lane\" data-pid=\"")
            .text(lane.pid)
            .raw("\">");
        let about = if lane.parent.is_none() {
            lane.program.as_str()
        } else {
            lane.marks
                .last()
                .map_or("forked again", |mark| outcome(mark.class, lane))
        };
        let about: String = about.chars().take(16).collect();
        self.name(depth, y, &format!("pid {}", lane.pid), &about);
        // Marks of one moment stand side by side.
        let mut last = f64::MIN;
        for mark in &lane.marks {
            let x = self.scale.x(mark.at).max(last + 13.0);
            last = x;
            self.mark(mark, lane, x, y);
        }
        self.page.raw("</g>");
    }

    fn many(&mut self, lanes: &[&Lane], like: i32, depth: usize, y: usize) {
        self.page
            .raw("<g class=\"lane crowd\" data-processes=\"")
            .text(lanes.len())
            .raw("\">");
        let name = format!("{} more", words::number(lanes.len() as u64));
        self.name(depth, y, &name, &format!("like pid {like}"));
        for lane in spread(lanes) {
            for mark in &lane.marks {
                self.mark(mark, lane, self.scale.x(mark.at), y);
            }
        }
        self.page.raw("</g>");
    }

    fn mark(&mut self, mark: &Mark, lane: &Lane, x: f64, y: usize) {
        let class = mark.class;
        let about = format!(
            "{} · pid {} · {} (+{})",
            name(class),
            lane.pid,
            mark.at.fine(),
            self.first.until(mark.at)
        );
        let anchor = self.anchors.anchor(mark);
        self.link(kind(class), shape(class), &about, anchor, (x, middle(y)));
    }

    /// Where a process was forked, on the lane of its parent.
    fn forked(&mut self, lane: &Lane, above: usize) {
        let about = format!(
            "forked · pid {} · {} (+{})",
            lane.pid,
            lane.begin.fine(),
            self.first.until(lane.begin)
        );
        let x = self.scale.x(lane.begin);
        let anchor = self.anchors.fork(lane);
        let shape = "<circle r=\"4.5\"/><circle class=\"hole\" r=\"1.8\"/>";
        self.link("forked", shape, &about, anchor, (x, middle(above)));
    }

    /// A shape that leads to what is told of it.
    fn link(
        &mut self,
        kind: &'static str,
        shape: &'static str,
        about: &str,
        anchor: Option<(String, String)>,
        (x, y): (f64, f64),
    ) {
        let (anchor, place) = anchor.unzip();
        match &anchor {
            Some(anchor) => self
                .page
                .raw("<a href=\"#")
                .text(anchor)
                .raw("\" class=\"mark "),
            None => self.page.raw("<g class=\"mark "),
        };
        self.page
            .raw(kind)
            .raw("\" data-mark=\"")
            .raw(kind)
            .raw("\" transform=\"translate(")
            .text(px(x))
            .raw(" ")
            .text(px(y))
            .raw(")\"><title>")
            .text(about);
        if let Some(place) = &place {
            self.page.raw("\n").text(place);
        }
        self.page
            .raw("</title>")
            .raw(shape)
            .raw(if anchor.is_some() { "</a>" } else { "</g>" });
    }
}

/// What became of a process, in a word.
fn outcome(class: Class, lane: &Lane) -> &'static str {
    match class {
        Class::Violation if lane.end.is_some() => "ended",
        Class::Violation => "used CUDA",
        Class::Refused => "refused",
        Class::Revived => "own driver",
        Class::Absent => "without CUDA",
        Class::Rewritten => "fresh process",
        Class::Attempted => "no CUDA",
        Class::Context | Class::Initialised => "has CUDA",
    }
}

/// The CSS class of a mark.
pub fn kind(class: Class) -> &'static str {
    match class {
        Class::Violation => "violation",
        Class::Refused => "refused",
        Class::Revived => "revived",
        Class::Absent => "absent",
        Class::Rewritten => "rewritten",
        Class::Attempted => "attempted",
        Class::Context => "context",
        Class::Initialised => "initialised",
    }
}

/// A mark in words.
pub fn name(class: Class) -> &'static str {
    match class {
        Class::Violation => "used in a forked process",
        Class::Refused => "not served",
        Class::Revived => "revived: a driver of its own",
        Class::Absent => "goes on without CUDA",
        Class::Rewritten => "became a fresh process",
        Class::Attempted => "could not be initialised",
        Class::Context => "first context",
        Class::Initialised => "initialised",
    }
}

/// A mark's shape: they differ without their colours, too.
pub fn shape(class: Class) -> &'static str {
    match class {
        Class::Violation => {
            "<circle r=\"8\"/><path class=\"ink\" d=\"M-3.2-3.2 3.2 3.2M-3.2 3.2 3.2-3.2\"/>"
        }
        Class::Refused => {
            "<path d=\"M0-8.5 8.5 6.5H-8.5Z\"/><path class=\"ink\" d=\"M0-3V2M0 4V4.4\"/>"
        }
        Class::Revived => {
            "<circle r=\"8\"/><path class=\"ink\" d=\"M3.4-2A4 4 0 1 0 4 .8M4.2-4.6V-1.6H1.2\"/>"
        }
        Class::Absent => "<circle r=\"8\"/><path class=\"ink\" d=\"M-4 0H4\"/>",
        Class::Rewritten => {
            "<rect x=\"-7.5\" y=\"-7.5\" width=\"15\" height=\"15\" rx=\"4\"/><path class=\"ink\" \
             d=\"M-4 0H3.6M.8-3 3.8 0 .8 3\"/>"
        }
        Class::Attempted => "<path d=\"M0-8.5 8.5 0 0 8.5-8.5 0Z\"/>",
        Class::Context => "<rect x=\"-6\" y=\"-6\" width=\"12\" height=\"12\" rx=\"2\"/>",
        Class::Initialised => "<circle r=\"7\"/><circle class=\"hole\" r=\"2.6\"/>",
    }
}
