"""How the report looks, on a wide screen, on a narrow one and on paper."""

CSS = """
:root { color: #222; background: #fff; font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
body { margin: 0; }
main { max-width: 1080px; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .4rem; border-bottom: 1px solid #ccc; overflow-wrap: anywhere;
     break-after: avoid; }
h3 { font-size: 1rem; margin: 1.1rem 0 .2rem; break-after: avoid; overflow-wrap: anywhere; }
p, ul { margin: .2rem 0 .6rem; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; }
.quiet { color: #666; font-size: .87rem; }
.headline { font-size: 1.08rem; border-left: 4px solid #0072B2; padding: .1rem 0 .1rem .8rem; margin: .8rem 0; }
.wide { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { text-align: left; padding: .18rem .7rem .18rem 0; border-bottom: 1px solid #e8e8e8; white-space: nowrap; }
th { border-bottom: 1px solid #888; }
.num { text-align: right; }
tr.on td { font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.classes { display: grid; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); gap: .5rem .8rem; }
.sheets { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: .4rem 1rem; }
figure { margin: .6rem 0; break-inside: avoid; }
figcaption { font-size: .87rem; overflow-wrap: anywhere; }
figure.class { margin: 0; }
figure.class svg { width: 100%; height: auto; display: block; }
svg text { font-size: 8.5px; fill: #555; }
svg .grid { stroke: #e2e2e2; stroke-width: .7; }
pre { background: #f6f6f6; padding: .6rem; font-size: .78rem; line-height: 1.35; white-space: pre-wrap;
      overflow-wrap: anywhere; }
@media print {
  :root { font-size: 10.5px; }
  main { max-width: none; margin: 0; padding: 0; }
  .scroll { overflow: visible; }
  th, td { white-space: normal; }
  .sheets { grid-template-columns: 1fr 1fr; }
  .classes { grid-template-columns: repeat(5, 1fr); }
  .headline, pre, tr.on td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
