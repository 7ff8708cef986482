// Shows /status.json, anew every second. All values go in as text, never as markup.
const EVERY_MS = 1000;
const KEPT = 120;
const history = [];
const byId = (id) => document.getElementById(id);
const show = (id, value) => { byId(id).textContent = value; };
const milliseconds = (value) => (value === undefined ? "–" : `${value.toLocaleString("en")} ms`);

function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const place = line.appendChild(document.createElement("td"));
    place.textContent = typeof cell === "number" ? cell.toLocaleString("en") : cell;
    if (typeof cell === "number") place.className = "number";
  }
  return line;
}

function ago(seconds) {
  const [unit, size] = seconds < 120 ? ["s", 1] : seconds < 7200 ? ["min", 60] : ["h", 3600];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function draw(latency) {
  if (latency !== undefined) history.push(latency);
  history.splice(0, history.length - KEPT);
  const top = Math.max(1, ...history);
  const points = history.map((value, at) => `${(at / (KEPT - 1)) * 300},${58 - (value / top) * 54}`);
  show("top", milliseconds(top));
  document.querySelector("#history polyline").setAttribute("points", points.join(" "));
}

function tell(words, good) {
  show("state", words);
  byId("state").className = good ? "good" : "bad";
}

function render({ ready, uptime_s, totals, latency_ms, run_errors, problems }) {
  tell(`${ready ? "ready" : totals.draining ? "ending" : "not ready"}, up ${ago(uptime_s).replace(" ago", "")}`, ready);
  show("engine", totals.engine);
  show("users", totals.users.connected);
  show("running", totals.runs.running ?? 0);
  show("queued", totals.runs.queued ?? 0);
  show("connections", totals.connections.open ?? 0);
  show("engines", totals.engines);
  for (const name of ["p50", "p95", "p99"]) show(name, milliseconds(latency_ms[name]));
  draw(latency_ms.p95);
  const ended = Object.entries(totals.ended).map(([state, count]) => row(`Runs ${state}`, count));
  const failed = run_errors.map(([code, count]) => row(`Runs failed with ${code}`, count));
  byId("since-start").replaceChildren(
    ...ended, ...failed,
    row("Events delivered", totals.delivered), row("Events retried", totals.retried), row("Events lost", totals.lost),
    row("Slow readers cut off", totals.slow_consumers),
  );
  byId("problems").replaceChildren(...problems.map(({ ago_s, what, times }) => row(ago(ago_s), what, times)));
  byId("no-problems").hidden = problems.length > 0;
}

async function refresh() {
  try {
    const answer = await fetch("/status.json", { cache: "no-store" });
    render(await answer.json());
  } catch {
    tell("the engine does not answer", false);
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
