/** What the matrix page adds to the house's sheet. */
export const MATRIX_STYLE = `
h3{font-size:14px;margin:22px 0 8px;font-weight:600}
.risks .zone{max-width:340px}.risks .zone small{display:block;margin:0;line-height:1.3}.risks .bar{height:18px}.risks .count{font-weight:600;min-width:3ch}
.bar i.risk-high,.dot.risk-high{background:#d6453d}.bar i.risk-medium,.dot.risk-medium{background:#e8973a}.bar i.risk-low,.dot.risk-low{background:#9fb3bf}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:9px}
.hosts{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:8px}
.hosts li{border:1px solid var(--line);border-radius:8px;padding:4px 11px;font-size:13px}.hosts em{font-style:normal;color:var(--bad);margin-left:4px}
.found td{vertical-align:top}.found tbody tr{break-inside:avoid}.found .soft{font-size:12px;margin-left:4px}.found td.ready{color:#0b5750;font-weight:500}.found td.ask{color:var(--soft)}
.found td:first-child{white-space:nowrap}.found thead{display:table-header-group}
.card>p.soft{margin:10px 0 0;font-size:13px}.odd{margin:0}.odd dt{margin-top:14px;font-weight:500}.odd dt:first-child{margin-top:0}.odd dt b{display:inline-block;min-width:2.2em;color:var(--bad)}
.odd dd{margin:2px 0 0 2.2em;color:var(--soft);font-size:14px}.odd dd code{display:inline-block;color:var(--ink);background:var(--wash);border-radius:5px;padding:1px 7px;margin:5px 3px 0 0}
.checks .bad .sign{color:#b7791f}.states thead{display:table-header-group}.states td.why{width:45%}
@media print{.found td{line-height:1.3}h3{font-size:11px;margin:12px 0 5px}.hosts li{padding:2px 7px;font-size:9px}.odd dd,.odd dt{font-size:10px}.odd dt{margin-top:8px;break-after:avoid}.odd dd{break-inside:avoid}.found .soft{font-size:8.5px}.dot{width:6px;height:6px;margin-right:5px}.risks .bar{height:11px}}
`
