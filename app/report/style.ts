/** One sheet for screen and paper. No font, image or script comes from elsewhere. */
export const STYLE = `
:root{--ink:#14212b;--soft:#566671;--line:#dde4e8;--edge:#7c8d99;--paper:#fff;--wash:#f4f7f8;--need:#0f766e;--need-wash:#d5efeb;--need-ink:#0b5750;--bad:#c23a32;--bad-wash:#fbe3e1;--bad-ink:#9d2a23;--warn:#8f5b10;--warn-wash:#fbeecf;--warn-ink:#7a4a08;--on:#fff;--accent:#14212b;--risk-high:#c23a32;--risk-medium:#c2701a;--risk-low:#7a909e}
*{box-sizing:border-box}
html{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{margin:0;background:var(--wash);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;font-variant-numeric:tabular-nums}
.page{max-width:1120px;margin:0 auto;padding:40px 32px 56px}
header{display:flex;justify-content:space-between;align-items:flex-start;gap:24px}header>div:first-child{min-width:0}
h1{font-size:30px;line-height:1.2;letter-spacing:-.01em;margin:0}
h2{font-size:18px;margin:44px 0 4px}
p{margin:.3em 0;max-width:74ch}
.brand{font-weight:600;letter-spacing:.08em;text-transform:uppercase;font-size:12px;color:var(--soft);margin-bottom:10px}
.soft{color:var(--soft)}
.lead{font-size:16px;color:var(--soft);margin-top:8px}
.choice{position:absolute;opacity:0}
.languages{display:flex;flex:none;border:1px solid var(--line);border-radius:8px;overflow:hidden;background:var(--paper)}
.languages label{padding:5px 12px;cursor:pointer;font-size:13px;color:var(--soft)}
#in-en:checked~.page .languages label[for=in-en],#in-zh:checked~.page .languages label[for=in-zh]{background:var(--accent);color:var(--paper)}
#in-en:focus-visible~.page .languages,#in-zh:focus-visible~.page .languages{outline:2px solid var(--need);outline-offset:2px}
#in-en:checked~.page [lang=zh-CN],#in-zh:checked~.page [lang=en]{display:none}
.verdict{display:inline-flex;align-items:center;gap:10px;padding:8px 16px 8px 12px;border-radius:999px;font-weight:600;margin-top:20px}
.verdict.good{background:var(--need-wash);color:var(--need-ink)}.verdict.bad{background:var(--bad-wash);color:var(--bad-ink)}.verdict.unsure{background:var(--warn-wash);color:var(--warn-ink)}
.mark{display:grid;place-items:center;width:22px;height:22px;flex:none;border-radius:50%;color:var(--on);font-size:14px;line-height:1}
.good .mark{background:var(--need)}.bad .mark{background:var(--bad)}.unsure .mark{background:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin-top:24px}
.tile{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:18px 20px}
.tile .name{font-size:13px;color:var(--soft)}
.tile .figure{font-size:34px;line-height:1.15;font-weight:650;letter-spacing:-.02em;margin:6px 0 2px;white-space:nowrap}
.tile .figure small{font-size:17px;font-weight:500;color:var(--soft);letter-spacing:0}
.tile .note{font-size:13px;color:var(--soft)}
.tile.good .figure{color:var(--need)}.tile.bad .figure{color:var(--bad)}.tile.unsure .figure{color:var(--warn)}
.card{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:20px 24px;margin-top:14px}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:9px 16px;align-items:center}
.bars .zone{font-weight:600}.bars .zone small{font-weight:400;color:var(--soft);margin-left:6px}
.bar{position:relative;height:16px;border-radius:4px;background:var(--wash)}
.bar i{position:absolute;inset:0 auto 0 0;border-radius:4px;background:#f0a39e}.bar i.left{background:var(--need)}
.bars .count{text-align:right;white-space:nowrap}.bars .count b{color:var(--need)}
.legend{display:flex;flex-wrap:wrap;gap:6px 22px;font-size:13px;color:var(--soft);margin:8px 0 14px}
.legend span.key{display:inline-flex;align-items:center;gap:7px}
table{border-collapse:collapse;width:100%}thead{display:table-header-group}.wide{overflow-x:auto}
.matrix{font-size:13px;line-height:1.25}
.matrix thead th{font-weight:500;color:var(--soft);vertical-align:bottom;padding:0 0 8px}
.matrix thead .group{font-weight:600;color:var(--ink);text-align:center;padding-bottom:6px}
.matrix thead th.up{width:25px}
.matrix thead th.up div{writing-mode:vertical-rl;text-orientation:sideways;transform:rotate(180deg);margin:0 auto;white-space:nowrap}
.matrix tbody{border-top:1px solid var(--line);break-inside:avoid}
.matrix th.host{text-align:left;vertical-align:top;padding:7px 14px 7px 0;white-space:nowrap;font-weight:600}
.matrix td{padding:3px 0;vertical-align:middle}
.matrix tbody tr:first-child>:is(td,.end){padding-top:7px}.matrix tbody tr:last-child>:is(td,.end){padding-bottom:7px}
.matrix .end{text-align:left;font-weight:400;white-space:nowrap;padding:3px 12px 3px 0}.matrix .end code{font:inherit;font-weight:500}
.matrix .end span.who{color:var(--soft);margin-left:8px}
.matrix td.cell{text-align:center;width:25px}
.matrix td.gap,.matrix th.gap{width:24px}
.matrix .why{padding-left:20px;color:var(--soft)}.matrix thead .left,.matrix thead .why{text-align:left}
.matrix td.why b{color:var(--ink);font-weight:500}
.box{display:inline-grid;place-items:center;width:15px;height:15px;border-radius:4px;vertical-align:middle;border:1px solid var(--line);background:var(--paper);font:700 11px/1 sans-serif;color:var(--edge)}
.box.bad{background:var(--bad);border-color:var(--bad);color:var(--on)}.box.need{background:var(--need);border-color:var(--need);color:var(--on)}.box.unknown{border:1px dashed var(--edge);background:none}
.box::before{content:"–"}.box.bad::before{content:"!"}.box.need::before{content:"✓"}.box.unknown::before{content:"?";font-weight:400}
.checks{list-style:none;margin:0;padding:0;display:grid;gap:9px}
.checks li{display:grid;grid-template-columns:22px 1fr;gap:10px}
.checks .sign{color:var(--need);font-weight:700}.checks .bad .sign{color:var(--bad)}.checks .unsure .sign{color:var(--warn)}
.found{font-size:14px}.found th{text-align:left;font-weight:500;color:var(--soft);padding:4px 14px 4px 0}.found td{padding:5px 14px 5px 0;border-top:1px solid var(--line)}
.time{display:grid;grid-template-columns:max-content 1fr max-content;gap:7px 16px;align-items:center;font-size:14px}
.time .bar{height:8px}.time .bar i{background:#8fa3b0}
footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--line);font-size:12px;color:var(--soft)}
code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
@media screen and (max-width:860px){.tiles{grid-template-columns:repeat(2,1fr);gap:10px}.page{padding:24px 16px}.matrix{min-width:760px}header{flex-wrap:wrap-reverse}h1{font-size:26px}.card{padding:16px}.tile{padding:14px}.tile .figure{font-size:28px}.verdict{border-radius:18px}}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--ink:#e4ebf0;--soft:#9caeb9;--line:#2c3b45;--paper:#172129;--wash:#0e161c;--edge:#74899a;--need:#2ba598;--need-wash:#12403b;--need-ink:#93e3d8;--bad:#e8675f;--bad-wash:#4a2220;--bad-ink:#ffb7b1;--warn:#e0a040;--warn-wash:#43351a;--warn-ink:#f3cf8b;--on:#14212b;--accent:#dbe5eb;--risk-high:#e8675f;--risk-medium:#e8973a;--risk-low:#9fb3bf}}
@page{size:A4;margin:12mm 12mm 14mm}
@media print{body{background:#fff;font-size:10.5px}.wide{overflow:visible}.page{padding:1px;max-width:none}.languages{display:none}
h1{font-size:22px}h2{font-size:14px;margin-top:22px;break-after:avoid}.lead{font-size:12px}
.tiles{gap:8px;margin-top:14px}.tile{padding:10px 12px;border-radius:8px}.tile .figure{font-size:21px}.tile .figure small{font-size:12px}.tile .name,.tile .note,.legend{font-size:9.5px}
.card{padding:12px 14px;border-radius:8px;break-inside:auto;-webkit-box-decoration-break:clone;box-decoration-break:clone}footer{font-size:8.6px;margin-top:20px}.soft{font-size:10px}.verdict{margin-top:12px;padding:5px 12px 5px 8px}.mark{width:16px;height:16px;font-size:10px}.bars,.time{font-size:10px;gap:5px 12px}.bar{height:10px}.keep{break-inside:avoid}
.matrix{font-size:8.6px}.matrix thead th.up,.matrix td.cell{width:15px}.matrix td.gap,.matrix th.gap{width:10px}.box{width:9px;height:9px;border-radius:2px;font-size:7px}.matrix td,.matrix .end{padding-top:1.5px;padding-bottom:1.5px}.matrix .why{padding-left:10px;width:34%}.matrix tr{break-inside:avoid}.matrix th.host{padding:4px 8px 4px 0}.found,.checks{font-size:10px}}
`
