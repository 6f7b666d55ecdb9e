// The page's script: asks `/status` once a second, keeps three minutes of it, draws. It writes text and attributes
// only, never markup, so nothing a server says becomes an element.

extension AdminPage {
    static let script = scriptForms + scriptPlots + scriptFill + scriptPoll

    /// How numbers are written.
    private static let scriptForms = #"""

        "use strict";
        const KEPT = 180, WINDOW = 30, history = [];
        const $ = (id) => document.getElementById(id);
        const trim = (n) => n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1).replace(/\.0$/, "")
          : n.toFixed(2).replace(/\.?0+$/, "");
        function scaled(n, units, step) {
          let unit = 0;
          while (Math.abs(n) >= step && unit < units.length - 1) { n /= step; unit++; }
          return trim(n) + units[unit];
        }
        const count = (n) => n < 10000 && n === Math.round(n) ? String(n) : scaled(n, ["", "k", "M", "G", "T"], 1000);
        const bytes = (n) => scaled(n, [" B", " KiB", " MiB", " GiB", " TiB"], 1024);
        function time(s) {
          if (!isFinite(s)) return "> 8.6 s";
          return s < 1e-3 ? trim(s * 1e6) + " µs" : s < 1 ? trim(s * 1e3) + " ms" : trim(s) + " s";
        }
        function age(s) {
          const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
          return d ? d + " d " + h + " h" : h ? h + " h " + m + " min" : m ? m + " min " + Math.floor(s % 60) + " s"
            : Math.floor(s) + " s";
        }
        function make(name, attributes, text) {
          const isSvg = /^(svg|g|line|path|rect|text)$/.test(name);
          const element = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", name)
            : document.createElement(name);
          for (const key in attributes) element.setAttribute(key, attributes[key]);
          if (text !== undefined) element.textContent = text;
          return element;
        }
        const rate = (now, then, pick) => then && now.at > then.at
          ? Math.max(0, pick(now.status) - pick(then.status)) / (now.at - then.at) : 0;

        """#

    /// Lines over time, and the histogram.
    private static let scriptPlots = #"""

        function ceiling(n, write) {
          if (write === bytes) return Math.pow(2, Math.ceil(Math.log2(Math.max(n, 1024))));
          const power = Math.pow(10, Math.floor(Math.log10(Math.max(n, 1))));
          return [1, 2, 2.5, 5, 10].map((f) => f * power).find((f) => f >= n) || 10 * power;
        }
        function frame(box) {
          const width = Math.max(box.clientWidth, 200), height = Math.max(box.clientHeight, 100);
          const svg = make("svg", { viewBox: "0 0 " + width + " " + height, role: "img" });
          box.replaceChildren(svg);
          return { svg, width, height };
        }
        function lines(id, rows, write) {
          const { svg, width, height } = frame($(id)), left = 52, bottom = 18, top = 6;
          const most = ceiling(Math.max(2, ...rows.flat()), write);
          const x = (i, n) => left + (width - left) * (KEPT - n + i) / (KEPT - 1);
          const y = (v) => top + (height - top - bottom) * (1 - v / most);
          for (const part of [0, .5, 1]) {
            svg.append(make("line", { class: "grid", x1: left, x2: width, y1: y(most * part), y2: y(most * part) }),
              make("text", { x: left - 8, y: y(most * part) + 4, "text-anchor": "end" }, write(most * part)));
          }
          for (const [ago, label] of [[KEPT - 1, "−3 min"], [120, "−2 min"], [60, "−1 min"], [0, "now"]]) {
            svg.append(make("text", { x: left + (width - left) * (1 - ago / (KEPT - 1)), y: height - 3,
              "text-anchor": ago === 0 ? "end" : ago > 120 ? "start" : "middle" }, label));
          }
          rows.forEach((row, index) => {
            if (!row.length) return;
            const points = row.map((v, i) => x(i, row.length).toFixed(1) + " " + y(v).toFixed(1));
            const path = "M" + points.join("L");
            if (index === 0) svg.append(make("path", { class: "area",
              d: path + "L" + width + " " + y(0) + "L" + x(0, row.length).toFixed(1) + " " + y(0) + "Z" }));
            svg.append(make("path", { class: index ? "line b" : "line", d: path }));
          });
        }
        function quantile(buckets, total, q) {
          let before = 0, lower = 0;
          for (const [bound, n] of buckets) {
            if (n && before + n >= q * total) {
              return isFinite(bound) ? lower + (bound - lower) * (q * total - before) / n : Infinity;
            }
            before += n;
            lower = bound;
          }
          return 0;
        }
        function spread(now, then) {
          const total = now.count - (then ? then.count : 0);
          let before = 0, beforeThen = 0;
          const buckets = now.buckets.map((bucket, i) => {
            const older = then ? then.buckets[i].count : 0, n = bucket.count - before - (older - beforeThen);
            before = bucket.count;
            beforeThen = older;
            return [bucket.le, Math.max(0, n)];
          });
          buckets.push([Infinity, Math.max(0, total - buckets.reduce((sum, b) => sum + b[1], 0))]);
          return { buckets, total };
        }
        function bars(id, buckets, total, p99) {
          const { svg, width, height } = frame($(id)), bottom = 18, top = 16;
          const most = Math.max(1, ...buckets.map((b) => b[1])), step = width / buckets.length;
          svg.append(make("line", { class: "grid", x1: 0, x2: width, y1: height - bottom, y2: height - bottom }));
          buckets.forEach(([bound, n], i) => {
            const tall = n ? Math.max(2, (height - top - bottom) * n / most) : 0;
            const bar = make("rect", { class: bound > p99 ? "bar late" : "bar", x: (i * step + step * .12).toFixed(1),
              y: (height - bottom - tall).toFixed(1), width: (step * .76).toFixed(1), height: tall.toFixed(1), rx: 2 });
            const share = total ? (100 * n / total).toFixed(n === total ? 0 : 2) + " %" : "0";
            bar.append(make("title", {}, "up to " + time(bound) + ": " + count(n) + " (" + share + ")"));
            svg.append(bar);
            if (i % 4 === 0 && isFinite(bound)) svg.append(make("text", { x: ((i + 1) * step).toFixed(1),
              y: height - 3, "text-anchor": "middle" }, time(bound)));
          });
          if (!total) svg.append(make("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "no messages"));
        }

        """#

    /// What a status fills in.
    private static let scriptFill = #"""

        function tile(id, text) { $(id).textContent = text; }
        function fillHead(s) {
          tile("version", s.version);
          tile("uptime", "up " + age(s.uptime_seconds));
          tile("pid", "· pid " + s.pid);
          const word = !s.live ? "stalled" : s.state === "draining" ? "draining" : s.ready ? "serving" : "not ready";
          $("state").textContent = word;
          $("state").className = "pill " + (word === "serving" ? "good" : word === "stalled" ? "bad" : "warn");
          $("reasons").hidden = !s.reasons.length;
          $("reasons").textContent = s.reasons.join("\n");
          document.title = "apus · " + word;
        }
        function fillTiles(now, then) {
          const s = now.status;
          tile("connections", count(s.connections.open));
          tile("max", "of " + count(s.connections.max));
          tile("rate", count(Math.round(rate(now, then, (s) => s.totals.messages))));
          tile("in", bytes(rate(now, then, (s) => s.totals.received_bytes)));
          tile("out", bytes(rate(now, then, (s) => s.totals.sent_bytes)));
        }
        function fillService(now) {
          const older = history[Math.max(0, history.length - 1 - WINDOW)];
          const then = older && older !== now ? older : null;
          let { buckets, total } = spread(now.status.service_seconds, then ? then.status.service_seconds : null);
          let label = "last " + Math.round(then ? now.at - then.at : 0) + " s";
          if (!then || !total) {
            ({ buckets, total } = spread(now.status.service_seconds, null));
            label = "since the start";
          }
          const p = (q) => total ? quantile(buckets, total, q) : 0, p99 = p(.99);
          tile("p50", total ? time(p(.5)) : "–");
          tile("p99", total ? time(p99) : "–");
          tile("service-span", label + (total ? ", p99.9 " + time(p(.999)) : ""));
          bars("plot-service", buckets, total, p99);
        }
        function meter(label, number, value, most, kind) {
          const item = make("div", kind ? { class: kind } : {}), row = make("div", { class: "row" });
          row.append(make("span", {}, label), make("span", { class: "num" }, number));
          item.append(row, make("progress", { max: most, value: Math.min(value, most), "aria-label": label }));
          return item;
        }
        function fillLoops(now, then) {
          $("loops").replaceChildren(...now.status.loops.map((loop, i) => {
            const of = (key) => rate(now, then, (s) => s.loops[i] ? s.loops[i][key] : 0);
            const busy = 100 * of("busy_seconds");
            const label = "loop " + loop.loop + " · " + count(loop.connections) + " connections · "
              + count(Math.round(of("turns"))) + " turns/s";
            return meter(label, busy.toFixed(busy < 10 ? 1 : 0) + " %", busy, 100, busy > 85 ? "hot" : "");
          }));
        }
        function fillListeners(now, then) {
          $("listeners").replaceChildren(...now.status.listeners.map((listener) => {
            const find = (s) => s.listeners.find((l) => l.name === listener.name);
            const of = (key) => rate(now, then, (s) => find(s) ? find(s)[key] : 0);
            const speaks = listener.protocol + (listener.security === "none" ? "" : ", " + listener.security);
            return cells([listener.name, listener.address, speaks],
              [count(listener.open), count(listener.accepted), count(Math.round(of("messages"))),
                bytes(of("received_bytes")), bytes(of("sent_bytes"))]);
          }));
        }
        function cells(texts, numbers) {
          const row = make("tr", {});
          row.append(...texts.map((t) => make("td", {}, t)), ...numbers.map((n) => make("td", { class: "n" }, n)));
          // A phone shows the columns that its heading shows.
          for (const column of texts.length > 2 ? [1, 2, 4] : [1, 2]) row.children[column].classList.add("roomy");
          return row;
        }
        function fillReasons(id, groups, kind, none) {
          const rows = groups.flatMap(([what, reasons]) => Object.entries(reasons).map(([reason, n]) =>
            [(what ? what + ": " : "") + reason.replaceAll("_", " "), n])).sort((a, b) => b[1] - a[1]);
          const most = Math.max(1, ...rows.map((row) => row[1]));
          $(id).replaceChildren(...rows.slice(0, 12).map(([label, n]) => meter(label, count(n), n, most, kind)));
          if (!rows.length) $(id).append(make("div", { class: "dim" }, none));
        }
        function fillTop(top) {
          if (!top) return;
          const listed = new Map();
          for (const c of [...top.by_queue.filter((c) => c.queued_bytes), ...top.by_bytes]) listed.set(c.peer, c);
          $("top-rows").replaceChildren(...[...listed.values()].map((c) => cells([c.peer, c.listener],
            [age(c.age_seconds), bytes(c.received_bytes), bytes(c.sent_bytes), bytes(c.queued_bytes)])));
        }

        """#

    /// Ask, keep, draw; say so when nobody answers.
    private static let scriptPoll = #"""

        function draw() {
          const now = history[history.length - 1], then = history[history.length - 2], s = now.status;
          const rates = (pick) => history.slice(1).map((entry, i) => rate(entry, history[i], pick));
          fillHead(s);
          fillTiles(now, then);
          lines("plot-rate", [rates((s) => s.totals.messages)], count);
          lines("plot-connections", [history.map((entry) => entry.status.connections.open)], count);
          lines("plot-traffic", [rates((s) => s.totals.received_bytes), rates((s) => s.totals.sent_bytes)], bytes);
          fillService(now);
          fillLoops(now, then);
          fillListeners(now, then);
          fillReasons("closes", [["", s.closes]], "", "None so far.");
          fillReasons("losses", [["refused", s.refusals], ["dropped", s.drops], ["handshake", s.handshake_refusals],
            ["tls", s.tls_failures]], "loss", "None so far.");
          fillTop(s.top);
          document.body.dataset.samples = Number(document.body.dataset.samples || 0) + 1;
        }
        let goneSince = null, goneWhy = "";
        function gone(problem) {
          goneSince = goneSince || new Date();
          goneWhy = problem;
          $("gone").hidden = false;
          $("gone").textContent = "No answer since " + goneSince.toLocaleTimeString() + " (" + problem
            + "). Asking again every second.";
          $("state").textContent = "gone";
          $("state").className = "pill bad";
          document.title = "apus · gone";
          document.querySelector("main").classList.add("stale");
        }
        async function ask() {
          const patience = new AbortController(), timer = setTimeout(() => patience.abort(), 4000);
          try {
            const answer = await fetch("/status" + ($("top").open ? "?connections=10" : ""),
              { signal: patience.signal, cache: "no-store" });
            if (!answer.ok) throw new Error("status " + answer.status);
            const status = await answer.json(), previous = history[history.length - 1];
            if (previous && previous.status.started_unix_seconds !== status.started_unix_seconds) history.length = 0;
            history.push({ at: performance.now() / 1000, status });
            if (history.length > KEPT) history.shift();
            goneSince = null;
            $("gone").hidden = true;
            document.querySelector("main").classList.remove("stale");
            draw();
          } catch (problem) {
            gone(problem.name === "AbortError" ? "it takes too long" : problem.message);
          } finally {
            clearTimeout(timer);
            setTimeout(ask, 1000);
          }
        }
        window.addEventListener("resize", () => {
          if (history.length) draw();
          if (goneSince) gone(goneWhy);
        });
        ask();

        """#
}
