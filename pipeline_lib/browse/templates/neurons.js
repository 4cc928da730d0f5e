"use strict";

{
  const { page, byId, element } = bagpipe;
  // places in a row of page.rows
  const [OP, LAYER, NEURON, RANK, IMPORTANCE, IMPORTANCE_TEXT, LABEL, SCORE, SCORE_TEXT, CORRECTED, CORRECTED_TEXT, COUNT, TYPES, TEXT] = Array(14).keys();
  const titles = new Map(page.operators);
  const name = (row) => `L${row[LAYER]} N${row[NEURON]}`;
  const unique = (values) => [...new Set(values)];
  const hash = (row) => bagpipe.address({ op: row[OP], layer: row[LAYER], neuron: row[NEURON] });

  // one neuron ----------------------------------------------------------------------------------

  const ofOperator = (state) => page.rows.filter((row) => row[OP] === state.op);
  const ofLayer = (state) => ofOperator(state).filter((row) => String(row[LAYER]) === state.layer);
  const fields = {
    op: () => page.operators,
    layer: (state) => unique(ofOperator(state).map((row) => row[LAYER])).map((layer) => [layer, String(layer)]),
    neuron: (state) => ofLayer(state).map((row) => [row[NEURON], `N${row[NEURON]}${row[LABEL] && `: ${row[LABEL]}`}`]),
  };

  let shown = null; // the neuron that is drawn: what it takes to draw it again with other marks

  async function draw(state, isCurrent) {
    const isEmpty = state.neuron === undefined;
    byId("empty").textContent = isEmpty ? `${titles.get(state.op) ?? "This model"}: no correct prompts, so no neuron was analysed.` : "";
    byId("neuron-view").classList.toggle("hidden", isEmpty);
    for (const id of ["previous", "next", "mark"]) byId(id).disabled = isEmpty;
    document.title = `${isEmpty ? titles.get(state.op) ?? "" : `${titles.get(state.op)}, L${state.layer} N${state.neuron}`} · ${page.title} · ${page.model}`;
    highlight(state);
    if (isEmpty) return;
    const block = await bagpipe.load(`${state.op}_${state.layer}`);
    const neuron = block.neurons[state.neuron];
    const width = block.x[1];
    const maps = { K: await bagpipe.picture(neuron.K, width), KV: await bagpipe.picture(neuron.KV, width) };
    if (!isCurrent()) return;
    shown = { state, block, maps };
    describe(state, neuron);
    await drawMaps();
  }

  function describe(state, neuron) {
    byId("neuron-name").textContent = `L${state.layer} N${state.neuron}, ${titles.get(state.op)}`;
    for (const id of ["importance", "rank", "promoted", "suppressed"]) byId(id).textContent = neuron[id];
    bagpipe.fillTable("matches", neuron.matches.map((match) => match.slice(1)), [3, 4, 5]);
    byId("no-matches").classList.toggle("hidden", neuron.matches.length > 0);
    byId("match-table").classList.toggle("hidden", neuron.matches.length === 0);
    const options = neuron.matches.map(([heuristic, label]) => [heuristic, label]);
    bagpipe.fillSelect(byId("mark"), [["", "(all prompts)"], ...options]);
    byId("mark").value = "";
  }

  async function drawMaps() {
    const { state, block, maps } = shown;
    const [firstA, width] = block.x;
    const place = { x0: firstA, dx: 1, y0: block.y[0], dy: 1 };
    const marked = byId("mark").value;
    const veil = [];
    if (marked) {
      // the other prompts go pale: code 2 is a prompt that is no member
      const z = bagpipe.rowsOf(await bagpipe.codesOf(block.members[marked]), width, (code) => (code === 2 ? 1 : null));
      const colorscale = [[0, "rgba(255,255,255,0.85)"], [1, "rgba(255,255,255,0.85)"]];
      veil.push({ type: "heatmap", z, ...place, colorscale, showscale: false, hoverinfo: "skip" });
    }
    for (const map of ["K", "KV"]) {
      const label = `${map} map of L${state.layer} N${state.neuron}, ${titles.get(state.op)}, over operand 1 and operand 2`;
      bagpipe.plot(map, [{ ...page[map], z: maps[map], ...place }, ...veil], page.layout, label);
    }
  }

  // all neurons -----------------------------------------------------------------------------------

  const STEP = 50;
  const columns = [
    ["neuron", (row) => row[LAYER] * 1e6 + row[NEURON], 1],
    ["operator", (row) => page.operators.findIndex(([op]) => op === row[OP]), 1],
    ["rank in layer", (row) => row[RANK], 1],
    ["importance", (row) => row[IMPORTANCE], -1],
    ["best heuristic", (row) => row[LABEL], 1],
    ["score", (row) => row[SCORE], -1],
    ["corrected score", (row) => row[CORRECTED], -1],
    ["matches", (row) => row[COUNT], -1],
  ];
  const right = [2, 3, 5, 6, 7];
  let sorted = { column: 3, way: -1 };
  let limit = STEP;

  const filters = () => ({
    words: byId("search").value.toLowerCase().trim(),
    op: byId("only-op").value,
    layer: byId("only-layer").value,
    type: byId("only-type").value,
  });

  function found() {
    const { words, op, layer, type } = filters();
    return page.rows.filter((row) => row[TEXT].includes(words)
      && (!op || row[OP] === op)
      && (!layer || String(row[LAYER]) === layer)
      && (!type || (type === "none" ? !row[COUNT] : row[TYPES].split(" ").includes(type))));
  }

  function compare(first, second) {
    const [a, b] = [first, second].map(columns[sorted.column][1]);
    // what has no value comes last either way
    if (a === null || a === "") return b === null || b === "" ? 0 : 1;
    if (b === null || b === "") return -1;
    return sorted.way * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  }

  function list() {
    const rows = found().sort(compare);
    const lines = bagpipe.fillTable("all", rows.slice(0, limit).map((row) => {
      const link = element("a", name(row));
      link.href = hash(row);
      return [link, titles.get(row[OP]), String(row[RANK]), row[IMPORTANCE_TEXT], row[LABEL] || "–", row[SCORE_TEXT], row[CORRECTED_TEXT], String(row[COUNT])];
    }), right);
    lines.forEach((line, n) => { line.dataset.key = hash(rows[n]); });
    byId("count").textContent = `${Math.min(limit, rows.length)} of ${rows.length} neurons found (${page.rows.length} in all)`;
    byId("more").classList.toggle("hidden", rows.length <= limit);
    [...byId("all").tHead.rows[0].cells].forEach((cell, n) => {
      const way = sorted.way > 0 ? "ascending" : "descending";
      cell.setAttribute("aria-sort", n === sorted.column ? way : "none");
    });
    highlight();
  }

  let current = "";
  function highlight(state) {
    if (state) current = bagpipe.address(state);
    for (const line of byId("all").tBodies[0].rows) line.classList.toggle("chosen", line.dataset.key === current);
  }

  function startTable() {
    const head = byId("all").tHead.rows[0];
    columns.forEach(([title, , way], place) => {
      const button = element("button", title);
      button.type = "button";
      button.addEventListener("click", () => {
        sorted = { column: place, way: sorted.column === place ? -sorted.way : way };
        list();
      });
      const cell = element("th", undefined, right.includes(place) ? "n" : "");
      cell.scope = "col";
      cell.append(button);
      head.append(cell);
    });
    const layers = unique(page.rows.map((row) => row[LAYER])).sort((a, b) => a - b);
    bagpipe.fillSelect(byId("only-op"), [["", "all"], ...page.operators]);
    bagpipe.fillSelect(byId("only-layer"), [["", "all"], ...layers.map((layer) => [layer, String(layer)])]);
    bagpipe.fillSelect(byId("only-type"), [["", "all"], ["none", "no heuristic"], ...page.types]);
    for (const id of ["search", "only-op", "only-layer", "only-type"]) {
      byId(id).addEventListener("input", () => { limit = STEP; list(); });
    }
    byId("more").addEventListener("click", () => { limit += STEP; list(); });
    list();
  }

  startTable();
  bagpipe.run(fields, draw);
  bagpipe.stepper("neuron", "previous", -1);
  bagpipe.stepper("neuron", "next", 1);
  byId("mark").addEventListener("change", drawMaps);
}
