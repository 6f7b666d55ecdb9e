// The page's elements. What is filled in later has an id; the script knows those and no others.

extension AdminPage {
    static let markup = #"""
        <header>
          <svg class="mark" viewBox="0 0 64 40" aria-hidden="true">
            <path d="M2 6c12 1 21 6 28 15l2 4 2-4C41 12 50 7 62 6 52 11 44 18 39 27l-4 4 2 7-5-5-5 5 2-7-4-4
              C20 18 12 11 2 6z"/>
          </svg>
          <div class="name"><b>apus</b> <span id="version" class="dim"></span></div>
          <div id="state" class="pill" role="status">connecting</div>
          <div class="dim when"><span id="uptime"></span> <span id="pid"></span></div>
        </header>
        <div id="gone" class="banner bad" role="alert" hidden></div>
        <div id="reasons" class="banner warn" role="status" hidden></div>
        <main>
          <section class="tiles" aria-label="Now">
            <div class="tile"><h2>Connections</h2>
              <p><b id="connections">–</b> <span id="max" class="dim"></span></p></div>
            <div class="tile"><h2>Messages</h2><p><b id="rate">–</b> <span class="dim">/s</span></p></div>
            <div class="tile"><h2>In</h2><p><b id="in">–</b> <span class="dim">/s</span></p></div>
            <div class="tile"><h2>Out</h2><p><b id="out">–</b> <span class="dim">/s</span></p></div>
            <div class="tile"><h2>Service p50</h2><p><b id="p50">–</b></p></div>
            <div class="tile"><h2>Service p99</h2><p><b id="p99">–</b></p></div>
          </section>
          <section class="card wide">
            <h2>Messages a second <span class="dim">last 3 minutes</span></h2>
            <div id="plot-rate" class="plot"></div>
          </section>
          <section class="card">
            <h2>Connections <span class="dim">last 3 minutes</span></h2>
            <div id="plot-connections" class="plot small"></div>
          </section>
          <section class="card">
            <h2>Traffic <span class="dim"><i class="key a"></i>in <i class="key b"></i>out, bytes a second</span></h2>
            <div id="plot-traffic" class="plot small"></div>
          </section>
          <section class="card">
            <h2>Service time <span class="dim"><span id="service-span"></span>
              <i class="key b"></i>slowest 1 %</span></h2>
            <div id="plot-service" class="plot"></div>
          </section>
          <section class="card">
            <h2>Loops <span class="dim">processor time</span></h2>
            <div id="loops" class="loops"></div>
          </section>
          <section class="card wide">
            <h2>Listeners</h2>
            <div class="scroll"><table>
              <thead><tr><th>Name<th class="roomy">Address<th class="roomy">Speaks<th class="n">Open
                <th class="n roomy">Accepted
                <th class="n">Msg/s
                <th class="n">In/s<th class="n">Out/s</tr></thead>
              <tbody id="listeners"></tbody>
            </table></div>
          </section>
          <section class="card">
            <h2>Closed <span class="dim">by reason, since the start</span></h2>
            <div id="closes" class="bars"></div>
          </section>
          <section class="card">
            <h2>Refused and dropped <span class="dim">by reason, since the start</span></h2>
            <div id="losses" class="bars"></div>
          </section>
          <section class="card wide">
            <details id="top">
              <summary><h2>Busiest connections</h2></summary>
              <div class="scroll"><table>
                <thead><tr><th>Peer<th class="roomy">Listener<th class="n roomy">Age<th class="n">In<th class="n">Out
                  <th class="n">Queued</tr></thead>
                <tbody id="top-rows"></tbody>
              </table></div>
            </details>
          </section>
        </main>
        <footer class="dim">
          <a href="/metrics">/metrics</a> <a href="/status">/status</a> <a href="/livez">/livez</a>
          <a href="/readyz">/readyz</a>
        </footer>
        """#
}
