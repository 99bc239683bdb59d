//! The node in the foreground: `pantala up --foreground`.

use super::announcement::Announcement;
use super::log::Log;
use super::{Node, Options, start};
use crate::output;
use anyhow::Result;

/// Runs a node until it is told to end.
pub(crate) fn run(options: &Options) -> Result<()> {
    Log::to_stderr();
    let (node, events) = start::start(options, |_| Ok(()), &mut |_, _| {})?;
    if let Announcement::Ready { lines, .. } = node.announcement() {
        output::print_lines(&lines)?;
    }
    Node::serve(node, &events);
    Ok(())
}
