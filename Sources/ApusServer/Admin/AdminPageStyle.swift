// The page's looks: light and dark as the reader's system has it, one column on a phone.

extension AdminPage {
    static let style = #"""

        :root { --ground: #f3f5f8; --card: #fff; --line: #dfe4ea; --text: #17202b; --dim: #667485; --accent: #1f6feb;
          --second: #c2570c; --good: #17803d; --bad: #c62828; --warn: #9a6700; --fill: rgba(31, 111, 235, .13);
          --track: #e9edf2; }
        @media (prefers-color-scheme: dark) {
          :root { --ground: #0c1117; --card: #141b23; --line: #243040; --text: #e7edf4; --dim: #8d9bab;
            --accent: #5aa2ff; --second: #f0a04b; --good: #3fc56b; --bad: #ff6b62; --warn: #e3b341;
            --fill: rgba(90, 162, 255, .16); --track: #1f2a36; } }
        * { box-sizing: border-box; }
        [hidden] { display: none !important; }
        body { margin: 0 auto; max-width: 1180px; padding: 0 20px 28px; background: var(--ground); color: var(--text);
          font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        h2 { margin: 0; font-size: 13px; font-weight: 600; letter-spacing: .01em; }
        .dim { color: var(--dim); font-weight: 400; }
        b, td.n, .num { font-variant-numeric: tabular-nums; }
        header { display: flex; align-items: center; gap: 12px; padding: 18px 2px 16px; }
        .mark { width: 40px; height: 25px; fill: var(--accent); flex: none; }
        .name { font-size: 19px; letter-spacing: -.01em; }
        .name .dim { font-size: 14px; letter-spacing: 0; }
        .pill { padding: 3px 12px; border-radius: 99px; font-size: 13px; font-weight: 600; color: var(--dim);
          background: var(--track); white-space: nowrap; }
        .pill::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 7px;
          border-radius: 50%; background: currentColor; }
        .pill.good { color: var(--good); } .pill.warn { color: var(--warn); } .pill.bad { color: var(--bad); }
        .when { margin-left: auto; font-size: 13px; text-align: right; }
        .when span { white-space: nowrap; }
        .banner { margin: 0 0 14px; padding: 10px 16px; border-radius: 10px; border: 1px solid; background: var(--card);
          white-space: pre-line; }
        .banner.bad { color: var(--bad); } .banner.warn { color: var(--warn); }
        main { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; transition: opacity .3s; }
        main.stale { opacity: .45; }
        .wide, .tiles { grid-column: 1 / -1; }
        .tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 14px; }
        .card, .tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px;
          min-width: 0; }
        .tile { padding: 12px 16px 10px; }
        .tile h2 { color: var(--dim); font-weight: 500; }
        .tile p { margin: 2px 0 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
        .tile b { font-size: 25px; font-weight: 600; letter-spacing: -.02em; }
        .tile .dim { font-size: 13px; }
        .plot { height: 190px; margin-top: 10px; } .plot.small { height: 140px; }
        .plot svg { display: block; width: 100%; height: 100%; overflow: visible; }
        svg text { fill: var(--dim); font-size: 11px; font-variant-numeric: tabular-nums; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .area { fill: var(--fill); } .line { fill: none; stroke: var(--accent); stroke-width: 2;
          stroke-linejoin: round; }
        .line.b { stroke: var(--second); stroke-dasharray: 5 3; }
        .bar { fill: var(--accent); } .bar.late { fill: var(--second); }
        .mark-line { stroke: var(--dim); stroke-dasharray: 2 3; }
        .key { display: inline-block; width: 10px; height: 3px; margin: 0 3px 3px 6px; border-radius: 2px;
          background: var(--accent); } .key.b { background: var(--second); }
        .loops, .bars { display: grid; gap: 11px; margin-top: 12px; }
        .loops { max-height: 196px; overflow: auto; }
        .row { display: flex; justify-content: space-between; gap: 12px; font-size: 13px; }
        .row span { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
        .row .num { flex: none; }
        progress { display: block; width: 100%; height: 6px; margin-top: 4px; border: 0; border-radius: 3px;
          overflow: hidden; background: var(--track); appearance: none; }
        progress::-webkit-progress-bar { background: var(--track); }
        progress::-webkit-progress-value { background: var(--accent); border-radius: 3px; transition: width .4s; }
        progress::-moz-progress-bar { background: var(--accent); border-radius: 3px; }
        .hot progress::-webkit-progress-value { background: var(--bad); }
        .hot progress::-moz-progress-bar { background: var(--bad); }
        .loss progress::-webkit-progress-value { background: var(--second); }
        .loss progress::-moz-progress-bar { background: var(--second); }
        .scroll { overflow-x: auto; margin-top: 8px; }
        table { width: 100%; border-collapse: collapse; font-size: 13px; }
        th { padding: 4px 12px 6px 0; color: var(--dim); font-weight: 500; text-align: left; white-space: nowrap; }
        td { padding: 6px 12px 6px 0; border-top: 1px solid var(--line); white-space: nowrap; }
        .n { text-align: right; } th:last-child, td:last-child { padding-right: 0; }
        summary { cursor: pointer; } summary h2 { display: inline; margin-left: 4px; }
        footer { padding: 18px 2px 0; font-size: 13px; } footer a { margin-right: 14px; color: var(--dim); }
        @media (max-width: 900px) { .tiles { grid-template-columns: repeat(3, 1fr); } }
        @media (max-width: 620px) {
          body { padding: 0 12px 24px; } header { flex-wrap: wrap; gap: 8px 10px; padding: 14px 2px 12px; }
          .when { margin-left: 0; width: 100%; text-align: left; }
          main, .tiles { gap: 10px; } main { grid-template-columns: minmax(0, 1fr); }
          .roomy { display: none; }
          .tiles { grid-template-columns: 1fr 1fr; } .tile b { font-size: 22px; } .plot { height: 160px; } }

        """#
}
