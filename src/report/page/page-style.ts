/** The look of the report: light or dark as the reader's machine asks for, one column on a phone. */
export const pageStyle = `
:root { color-scheme: light dark; --page: #ffffff; --panel: #f6f8fa; --ink: #1f2328; --quiet: #59636e; --line: #d1d9e0; --grid: #e8eaed; --accent: #0550ae; --mark: #fff8c5; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --panel: #161b22; --ink: #e6edf3; --quiet: #9da7b1; --line: #3d444d; --grid: #2a313a; --accent: #79b8ff; --mark: #3b3300; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 1rem; }
header h1 { margin: 0.5rem 0; font-size: 1.7rem; overflow-wrap: anywhere; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; padding: 0; margin: 0; list-style: none; }
nav a { display: inline-block; padding: 0.25rem 0; }
a { color: var(--accent); }
section { margin: 2.5rem 0; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: 0.25rem; }
h2, h3 { line-height: 1.25; overflow-wrap: anywhere; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: 0.5rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet, figcaption { color: var(--quiet); font-size: 0.9rem; }
.scroll { position: relative; overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; margin: 0.75rem 0; }
.scroll:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible, summary:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.6rem 0.75rem; font-weight: 600; }
th, td { padding: 0.35rem 0.6rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
th:first-child, td:first-child, .left { text-align: left; }
th:first-child { position: sticky; left: 0; z-index: 1; background: var(--page); white-space: normal; overflow-wrap: anywhere; min-width: 14rem; }
thead th, thead th:first-child { background: var(--panel); }
thead button { all: unset; cursor: pointer; font-weight: 600; }
thead button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
thead button::after { content: ' \\2195'; color: var(--quiet); }
th[aria-sort=ascending] button::after { content: ' \\2191'; color: var(--ink); }
th[aria-sort=descending] button::after { content: ' \\2193'; color: var(--ink); }
tbody th { font-weight: 500; }
tr.ours th, tr.ours td { background: var(--mark); }
.rank-1 { font-weight: 700; } .rank-2 { text-decoration: underline; } .rank-3 { font-style: italic; }
figure { margin: 1.25rem 0; }
figure svg { display: block; height: auto; max-width: 100%; min-width: 34rem; }
figure.wide svg { min-width: 50rem; }
figure img { max-width: 100%; height: auto; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 0 1.25rem; }
.grid figure svg { min-width: 0; width: 100%; }
pre.scroll { padding: 0.75rem; font-size: 0.85rem; }
.viewer { border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem; background: var(--panel); }
.viewer canvas { display: block; width: 100%; height: 100%; }
.stage { position: relative; height: min(70vh, 34rem); background: #000; border-radius: 4px; overflow: hidden; }
.controls { display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; margin: 0.75rem 0; align-items: end; }
.controls > * { max-width: 100%; }
fieldset { border: 1px solid var(--line); border-radius: 6px; padding: 0.4rem 0.75rem; display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; margin: 0; min-width: 0; }
label { display: inline-flex; align-items: center; gap: 0.4rem; min-height: 1.75rem; }
label.stacked { flex-direction: column; align-items: start; gap: 0.1rem; }
select, tbody button { font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: 0.3rem 0.6rem; max-width: 100%; }
tbody button { padding: 0.1rem 0.5rem; cursor: pointer; }
.swatch { width: 0.9rem; height: 0.9rem; border-radius: 3px; border: 1px solid var(--line); }
@media (max-width: 40rem) { header, main, footer { padding: 0.75rem; } .stage { height: 65vh; } th, td { padding: 0.3rem 0.4rem; } th:first-child { min-width: 8.8rem; max-width: 10rem; } caption { max-width: calc(100vw - 3rem); } figure.wide svg { min-width: 36rem; } }
`;
