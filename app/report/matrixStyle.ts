/** What the matrix page adds to the house's sheet. */
export const MATRIX_STYLE = `
h3{font-size:14px;margin:22px 0 8px;font-weight:600}h3 small{font-size:12px;font-weight:400;color:var(--soft);margin-left:6px}
.risks .zone{max-width:340px}.risks .zone small{display:block;margin:0;line-height:1.3}.risks .bar{height:18px}.risks .count{font-weight:600;min-width:3ch}
.bar i.risk-high,.dot.risk-high{background:var(--risk-high)}.bar i.risk-medium,.dot.risk-medium{background:var(--risk-medium)}.bar i.risk-low,.dot.risk-low{background:var(--risk-low)}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:7px}
.hosts{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:8px}
.hosts li{border:1px solid var(--line);border-radius:8px;padding:4px 11px;font-size:13px;overflow-wrap:anywhere}.hosts em{font-style:normal;color:var(--bad);margin-left:4px}
.found :is(td,th){vertical-align:top}.found tbody tr{break-inside:avoid}.found tbody th{color:inherit;font-weight:600;padding:5px 14px 5px 0;border-top:1px solid var(--line);overflow-wrap:anywhere;min-width:9ch}.found .soft{font-size:12px;margin-left:4px}.found td.ready{color:var(--need-ink);font-weight:500}.found td.ask{color:var(--soft)}
.found :is(.risk,.end){white-space:nowrap}.found{min-width:760px}
.card>p.soft{margin:10px 0 0;font-size:13px}.odd{margin:0;display:grid;gap:14px}.odd>div{break-inside:avoid}.odd dt{font-weight:500;display:grid;grid-template-columns:3.4em 1fr}.odd dt b{color:var(--warn)}
.odd dd{margin:2px 0 0 3.4em;color:var(--soft);font-size:14px}.odd dd code{display:inline-block;color:var(--ink);background:var(--wash);border-radius:5px;padding:1px 7px;margin:5px 3px 0 0;overflow-wrap:anywhere}
.states .why{width:42%}.states th.host{white-space:normal;overflow-wrap:anywhere;min-width:8ch;max-width:24ch}.states .use{white-space:nowrap}.states .why{overflow-wrap:anywhere;min-width:20ch}.states .up div{max-height:15em;overflow:hidden}
@media screen and (max-width:860px){.risks{grid-template-columns:1fr max-content}.risks .zone{max-width:none;grid-column:1/-1}.odd dt{grid-template-columns:2.6em 1fr}.odd dd{margin-left:0}.states th.host{position:sticky;left:0;background:var(--paper);max-width:12ch}}
@media screen and (max-width:600px){.found{min-width:0}.found thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;white-space:nowrap}.found tbody tr{display:grid;grid-template-columns:max-content 1fr;gap:2px 12px;padding:10px 0;border-top:1px solid var(--line)}.found tbody tr:first-child{border-top:0}.found tbody :is(td,th){border:0;padding:0}.found :is(.end,.zones,.ready,.ask){grid-column:1/-1}.found .end{white-space:normal}.found .end+td{display:none}.found .zones::before{content:"← ";color:var(--soft)}}
@media print{.found{min-width:0}.found :is(td,th),.found tbody th{line-height:1.3;padding:3px 9px 3px 0}h3{font-size:11px;margin:12px 0 5px}h3 small{font-size:9px}.hosts{gap:5px}.hosts li{padding:2px 7px;font-size:9px}.odd{gap:8px}.odd dd,.odd dt{font-size:10px}.card>p.soft{font-size:9.5px}.found .soft{font-size:8.5px}.dot{width:6px;height:6px;margin-right:5px}.risks .bar{height:11px}}
`
