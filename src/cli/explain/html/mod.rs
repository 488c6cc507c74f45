//! `--html FILE`: one page that needs nothing else: no network, no other file, and no script to be
//! read. What the script adds is comfort.
//!
//! | file | what it is for |
//! |---|---|
//! | [`markup`] | text that cannot become markup |
//! | [`timeline`], [`scale`] | the process tree over time |
//! | `page.css`, `page.js` | how it looks, and what it does when it is touched |

#![allow(clippy::cast_precision_loss, reason = "pixels need none")]

mod markup;
mod scale;
mod timeline;

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::cause::Class;
use super::group::Group;
use super::processes::{Family, Lane, Mark};
use super::source::{Excerpt, Sources};
use super::stack::{Frame, Item, Whose, fold};
use super::told::{Told, ToldStep};
use super::words::{self, Step};
use crate::event::plain;
use crate::time::Stamp;
use markup::Markup;
use timeline::Anchors;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Families drawn at once; of a service that is started again and again there may be thousands.
const OPEN: usize = 6;
/// … and drawn at all.
const FAMILIES: usize = 60;
/// Causes listed at the top.
const CONTENTS: usize = 10;

/// Everything that the page shows.
pub struct Page<'a> {
    /// Where the events were.
    pub name: &'a str,
    /// How much there is, and of when.
    pub summary: &'a str,
    /// The causes in their order, with the numbers that they were given when they were read.
    pub told: &'a [(usize, Told<'a>)],
    /// Of causes that another one tells, which.
    pub instead: &'a HashMap<usize, usize>,
    /// The processes.
    pub families: &'a [Family],
    /// Sentences on what is not shown.
    pub missing: &'a [String],
    /// Where the reader is: paths below it are shown from here on.
    pub here: &'a Path,
}

impl Page<'_> {
    /// Writes it.
    pub fn write(&self, sources: &mut Sources) -> String {
        let mut page = Markup::default();
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-")
            .text(digest(STYLE))
            .raw("'; script-src 'sha256-")
            .text(digest(SCRIPT))
            .raw("'; base-uri 'none'; form-action 'none'\">\n")
            .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>")
            .text(format_args!("forkguard: {}", plain(self.name)))
            .raw("</title>\n<style>")
            .raw(STYLE)
            .raw("</style>\n</head>\n<body>\n");
        self.head(&mut page);
        page.raw("<main>\n");
        self.timelines(&mut page);
        page.raw("<section id=\"causes\"><h2>What happened</h2>\n");
        for (number, (_, told)) in (1..).zip(self.told) {
            self.cause(&mut page, number, told, sources);
        }
        page.raw("</section>\n");
        page.raw("</main>\n<script>")
            .raw(SCRIPT)
            .raw("</script>\n</body>\n</html>\n");
        page.into_string()
    }

    fn head(&self, page: &mut Markup) {
        page.raw("<header class=\"top\"><h1>forkguard</h1><p>")
            .text(plain(self.summary))
            .raw("</p>");
        for missing in self.missing {
            page.raw("<p>").text(missing).raw("</p>");
        }
        page.raw("<div class=\"chips\">");
        let mut counts: Vec<(Class, usize)> = Vec::new();
        for (_, told) in self.told {
            match counts.last_mut() {
                Some((class, many)) if *class == told.group.class => *many += told.group.processes,
                _ => counts.push((told.group.class, told.group.processes)),
            }
        }
        for (class, many) in counts {
            page.raw("<span class=\"chip ")
                .raw(timeline::kind(class))
                .raw("\"><b>")
                .text(words::number(many as u64))
                .raw("</b> ")
                .raw(timeline::name(class))
                .raw("</span>");
        }
        page.raw("</div>");
        if self.told.len() > 1 {
            page.raw("<ol class=\"contents\">");
            for (number, (_, told)) in (1..=CONTENTS).zip(self.told) {
                page.raw("<li class=\"")
                    .raw(timeline::kind(told.group.class))
                    .raw("\"><a href=\"#c")
                    .text(number)
                    .raw("\"><span class=\"number\">")
                    .text(number)
                    .raw("</span><span>")
                    .text(words::headline(told.group))
                    .raw(" <span class=\"quiet\">");
                if let Some(frame) = told.steps.last().and_then(telling) {
                    page.text(frame.place(self.here))
                        .raw(" ")
                        .text(&frame.function);
                }
                page.raw("</span></span></a></li>");
            }
            page.raw("</ol>");
        }
        page.raw("</header>\n");
    }

    fn timelines(&self, page: &mut Markup) {
        if self.families.is_empty() {
            return;
        }
        page.raw("<section id=\"processes\"><h2>Processes over time</h2>");
        timeline::definitions(page);
        legend(page, self.families);
        for (i, family) in self.families.iter().take(FAMILIES).enumerate() {
            let open = i < OPEN;
            page.raw(if open {
                "<details class=\"family\" open><summary>"
            } else {
                "<details class=\"family\"><summary>"
            });
            if let Some(root) = family.lanes.first() {
                page.text(&root.program)
                    .raw(" <b>pid ")
                    .text(root.pid)
                    .raw("</b> <span class=\"quiet\">")
                    .text(root.begin.day())
                    .raw(" ")
                    .text(root.begin.clock())
                    .raw(" UTC, ")
                    .text(words::of(family.lanes.len(), "process", "processes"))
                    .raw("</span>");
            }
            page.raw("</summary>");
            timeline::draw(page, family, self);
            page.raw("</details>\n");
        }
        let more = self.families.len().saturating_sub(FAMILIES);
        if more > 0 {
            page.raw("<p class=\"quiet\">")
                .text(words::of(more, "more process", "more processes"))
                .raw(" that initialised CUDA, each with those forked from it, are not drawn.</p>");
        }
        page.raw("</section>\n");
    }

    fn cause(&self, page: &mut Markup, number: usize, told: &Told<'_>, sources: &mut Sources) {
        let group = told.group;
        page.raw("<article class=\"cause ")
            .raw(timeline::kind(group.class))
            .raw("\" id=\"c")
            .text(number)
            .raw("\" tabindex=\"-1\"><h3><span class=\"number\">")
            .text(number)
            .raw("</span>")
            .text(words::headline(group))
            .raw("</h3><p class=\"about\">");
        if let Some((first, last)) = group.times {
            page.raw("<span>")
                .text(crate::time::range(first, last))
                .raw(" UTC</span> ");
        }
        page.raw("<span>")
            .text(words::program(&group.example))
            .raw("</span> <span>")
            .text(words::pids(group))
            .raw("</span></p>");
        for paragraph in words::explanation(group) {
            page.raw("<p class=\"why\">").text(paragraph).raw("</p>");
        }
        fix(page, group);
        page.raw("<ol class=\"steps\">");
        let start = told.steps.first().and_then(time);
        for (i, step) in told.steps.iter().enumerate() {
            self.step(page, number, i, told, step, start, sources);
        }
        page.raw("</ol>");
        if !group.example.argv.is_empty() {
            page.raw("<p class=\"quiet\">Started as <code>")
                .text(words::command(&group.example))
                .raw("</code></p>");
        }
        for note in &told.notes {
            page.raw("<p class=\"note\">").text(note).raw("</p>");
        }
        page.raw("</article>\n");
    }

    #[allow(clippy::too_many_arguments, reason = "what a step stands in")]
    fn step(
        &self,
        page: &mut Markup,
        number: usize,
        i: usize,
        told: &Told<'_>,
        step: &ToldStep<'_>,
        start: Option<Stamp>,
        sources: &mut Sources,
    ) {
        let last = i + 1 == told.steps.len();
        let kind = match step.step {
            Step::Initialised => "initialised",
            Step::Forked if !last => "forked",
            _ => timeline::kind(told.group.class),
        };
        page.raw("<li class=\"step ")
            .raw(kind)
            .raw("\" id=\"c")
            .text(number)
            .raw("-")
            .text(i)
            .raw("\" tabindex=\"-1\"><div class=\"head\"><b>")
            .raw(words::name(step.step, told.group.class))
            .raw("</b><time>");
        match (start, time(step)) {
            (Some(start), Some(at)) if at > start => {
                page.raw("+").text(start.until(at));
            }
            (_, Some(at)) => {
                page.text(at.fine());
            }
            _ => {}
        }
        page.raw("</time><span>")
            .text(words::who(step.step, step.moment, &told.group.example))
            .raw("</span><code>")
            .text(words::call(step.step, step.moment))
            .raw("</code></div><div class=\"stack\">");
        if step.inherited > 0 {
            page.raw("<details class=\"folded\"><summary>")
                .text(words::of(step.inherited, "frame", "frames"))
                .raw(" as at the fork</summary>");
            for frame in &step.stack.frames[..step.inherited] {
                self.frame(page, step, frame, false, sources);
            }
            page.raw("</details>");
        }
        let frames = step.frames();
        if frames.is_empty() {
            page.raw("<p class=\"quiet\">No stack could be read.</p>");
        }
        let innermost = frames.iter().rfind(|frame| frame.whose == Whose::Own);
        for item in fold(frames, false) {
            match item {
                Item::Frame(frame) => {
                    let open = innermost.is_some_and(|own| std::ptr::eq(own, frame));
                    self.frame(page, step, frame, open, sources);
                }
                Item::Folded(frames, homes) => {
                    page.raw("<details class=\"folded\"><summary>")
                        .text(words::of(frames.len(), "frame", "frames"));
                    if !homes.is_empty() {
                        page.raw(" of ").text(homes);
                    }
                    page.raw("</summary>");
                    for frame in frames {
                        self.frame(page, step, frame, false, sources);
                    }
                    page.raw("</details>");
                }
            }
        }
        page.raw("</div></li>");
    }

    fn frame(
        &self,
        page: &mut Markup,
        step: &ToldStep<'_>,
        frame: &Frame,
        open: bool,
        sources: &mut Sources,
    ) {
        let source = step.source(frame, true, sources);
        let own = if frame.whose == Whose::Own {
            "frame own\""
        } else {
            "frame\""
        };
        match (&source, open) {
            (Some(_), true) => page
                .raw("<details open class=\"")
                .raw(own)
                .raw("><summary>"),
            (Some(_), false) => page.raw("<details class=\"").raw(own).raw("><summary>"),
            (None, _) => page.raw("<div class=\"").raw(own).raw(">"),
        };
        page.raw("<span class=\"place\">")
            .text(frame.place(self.here))
            .raw("</span> <span class=\"function\">")
            .text(&frame.function)
            .raw("</span>");
        if frame.inlined {
            page.raw(" <span class=\"quiet\">inlined</span>");
        }
        if let Some(module) = &frame.module
            && frame.names_file()
        {
            page.raw(" <span class=\"quiet\">")
                .text(module)
                .raw("+")
                .text(format_args!("{:#x}", frame.offset))
                .raw("</span>");
        }
        let Some(source) = source else {
            page.raw("</div>");
            return;
        };
        page.raw("</summary>");
        excerpt(page, &source);
        page.raw("</details>");
    }
}

impl Page<'_> {
    /// The cause that a mark belongs to, and its number on the page.
    fn told(&self, mark: &Mark) -> Option<(usize, &Told<'_>)> {
        let cause = mark.cause?;
        let cause = self.instead.get(&cause).copied().unwrap_or(cause);
        let at = self.told.iter().position(|(index, _)| *index == cause)?;
        Some((at + 1, &self.told[at].1))
    }

    /// The anchor of a step, and what is said of it in a few words.
    fn place(&self, number: usize, told: &Told<'_>, i: usize) -> (String, String) {
        let step = &told.steps[i];
        let mut about = words::call(step.step, step.moment);
        if let Some(frame) = telling(step) {
            if !about.is_empty() {
                about.push('\n');
            }
            about += &frame.place(self.here);
            if !frame.function.is_empty() {
                about.push(' ');
                about += &frame.function;
            }
        }
        (format!("c{number}-{i}"), about)
    }
}

impl Anchors for Page<'_> {
    fn anchor(&self, mark: &Mark) -> Option<(String, String)> {
        let (number, told) = self.told(mark)?;
        let wanted = match mark.class {
            Class::Initialised => Step::Initialised,
            Class::Rewritten | Class::Refused if told.group.example.used.is_none() => Step::Forked,
            _ => Step::Used,
        };
        let i = told.steps.iter().rposition(|step| step.step == wanted)?;
        Some(self.place(number, told, i))
    }

    fn fork(&self, lane: &Lane) -> Option<(String, String)> {
        let (number, told) = self.told(lane.marks.first()?)?;
        let i = told
            .steps
            .iter()
            .rposition(|step| step.step == Step::Forked)?;
        Some(self.place(number, told, i))
    }
}

/// The frame that tells most of a step: the program's own innermost one.
fn telling<'a>(step: &'a ToldStep<'_>) -> Option<&'a Frame> {
    let frames = step.frames();
    let own = frames.iter().rfind(|frame| frame.whose == Whose::Own);
    own.or_else(|| frames.last())
}

fn time(step: &ToldStep<'_>) -> Option<Stamp> {
    Stamp::parse(&step.moment.time)
}

fn excerpt(page: &mut Markup, source: &Excerpt) {
    page.raw("<pre>");
    for (number, line) in (source.first..).zip(&source.lines) {
        page.raw(if number == source.at {
            "<span class=\"line at\"><i>"
        } else {
            "<span class=\"line\"><i>"
        })
        .text(number)
        .raw("</i>")
        .text(line)
        .raw("\n</span>");
    }
    page.raw("</pre>");
    if source.newer {
        page.raw("<p class=\"note\">The file was changed after this was recorded: its lines may be others.</p>");
    }
}

fn fix(page: &mut Markup, group: &Group) {
    let advice = &group.example.advice;
    if advice.is_empty() {
        return;
    }
    page.raw("<div class=\"fix\"><h4>What to do</h4><ul>");
    for (i, item) in advice.iter().enumerate() {
        page.raw(if i == 0 { "<li>" } else { "<li><i>or</i> " })
            .text(item)
            .raw("</li>");
    }
    page.raw("</ul></div>");
}

/// The marks that are there, and what they mean.
fn legend(page: &mut Markup, families: &[Family]) {
    let mut classes: Vec<Class> = families
        .iter()
        .flat_map(|family| &family.lanes)
        .flat_map(|lane| &lane.marks)
        .map(|mark| mark.class)
        .collect();
    classes.sort_unstable_by(|a, b| b.cmp(a));
    classes.dedup();
    page.raw("<p class=\"legend\">");
    for class in classes {
        page.raw("<span><svg width=\"20\" height=\"20\" viewBox=\"-10 -10 20 20\" aria-hidden=\"true\"><g class=\"mark ")
            .raw(timeline::kind(class))
            .raw("\">")
            .raw(timeline::shape(class))
            .raw("</g></svg> ")
            .raw(timeline::name(class))
            .raw("</span>");
    }
    page.raw(
        "<span class=\"quiet\">Each circle on a line is a fork. Gaps are not to scale.</span></p>",
    );
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// Puts a page where it was asked for, whole or not at all; what is there is replaced. Into what is
/// no file (a pipe, a terminal) it is written as it is.
pub fn save(page: &str, path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => return fs::write(path, page),
        _ => {}
    }
    // What the name leads to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".forkguard-")
        // Less what the umask takes away.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(page.as_bytes())?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
