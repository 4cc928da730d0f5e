"use strict";

// What all pages share: their data, the state in the address, blocks, pictures, plots, tables.
const bagpipe = (() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const loaded = new Map();
  const waiting = new Map();

  // Called by the script of every block, in the page or in its folder.
  function block(name, content) {
    loaded.set(name, content);
  }

  // A block; the script in the page's folder is added when it is not here yet.
  function load(name) {
    if (loaded.has(name)) return Promise.resolve(loaded.get(name));
    if (!waiting.has(name)) {
      waiting.set(name, new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = `${page.folder}/${name}.js`;
        script.onload = () => done(loaded.get(name));
        script.onerror = () => {
          waiting.delete(name);
          fail(new Error(`The file ${page.folder}/${name}.js is not there. It has to lie beside this page.`));
        };
        document.head.append(script);
      }));
    }
    return waiting.get(name);
  }

  async function codesOf(text) {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("This browser cannot unpack the pictures: one of 2023 or later is needed.");
    }
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Rows of `width` values, each what `value` makes of a code.
  function rowsOf(codes, width, value) {
    const rows = [];
    for (let start = 0; start < codes.length; start += width) {
      rows.push(Array.from(codes.subarray(start, start + width), value));
    }
    return rows;
  }

  async function picture(packed, width) {
    const value = (code) => (code ? packed.low + (code - 1) * packed.step : null);
    return rowsOf(await codesOf(packed.data), width, value);
  }

  const isTouch = matchMedia("(pointer: coarse)").matches;

  // Draw into the element; `label` says to a screen reader what the picture is.
  function plot(id, traces, layout, label) {
    const element = byId(id);
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
    // a finger that scrolls the page must not zoom the plot
    const look = { ...layout, dragmode: isTouch ? false : "zoom" };
    const buttons = ["select2d", "lasso2d", "autoScale2d"];
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: buttons };
    return Plotly.react(element, traces, look, config);
  }

  // Call with {x, y} of a cell of a plot that is clicked; the plot may be drawn later.
  function clicks(id, chosen) {
    const listen = () => byId(id).on("plotly_click", ({ points: [{ x, y }] }) => chosen({ x, y }));
    if (byId(id).on) listen();
    else Plotly.react(byId(id), []).then(listen);
  }

  function say(text) {
    byId("notice").textContent = text;
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  // Rows of a table's body; cells are texts or elements, columns named in `right` are numbers.
  function fillTable(id, rows, right = []) {
    const lines = rows.map((cells) => {
      const line = element("tr");
      cells.forEach((cell, place) => {
        const box = element("td", undefined, right.includes(place) ? "n" : "");
        box.append(cell);
        line.append(box);
      });
      return line;
    });
    byId(id).tBodies[0].replaceChildren(...lines);
    return lines;
  }

  function fillSelect(select, options) {
    const same = options.length === select.options.length
      && options.every(([value, text], n) => select.options[n].value === String(value) && select.options[n].text === text);
    if (same) return;
    select.replaceChildren(...options.map(([value, text]) => {
      const option = element("option", text);
      option.value = value;
      return option;
    }));
  }

  function address(state) {
    return `#${new URLSearchParams(state)}`;
  }

  // The page follows the address, and the address the choices. `fields` gives the options of every
  // select, in their order, from what is chosen in those before; `draw` shows what is chosen. A
  // choice that is not offered becomes the first one that is.
  function run(fields, draw) {
    const names = Object.keys(fields);
    let drawing = 0;

    async function show(wanted, isAddress) {
      const [state, missing] = pick(wanted);
      history.replaceState(null, "", address(state));
      say(isAddress && missing.length ? `There is no ${missing.join(", ")} here. Shown instead: the first one.` : "");
      const mine = ++drawing;
      document.body.dataset.ready = "no";
      try {
        await draw(state, () => mine === drawing);
      } catch (error) {
        say(error.message);
      }
      if (mine === drawing) document.body.dataset.ready = "yes";
    }

    function pick(wanted) {
      const state = {};
      const missing = [];
      for (const name of names) {
        const options = fields[name](state);
        const values = options.map(([value]) => String(value));
        const isOffered = values.includes(wanted[name]);
        if (name in wanted && !isOffered) missing.push(`${name} ${wanted[name]}`);
        fillSelect(byId(name), options);
        byId(name).disabled = !values.length;
        if (!values.length) continue;
        state[name] = isOffered ? wanted[name] : values[0];
        byId(name).value = state[name];
      }
      return [state, missing];
    }

    const chosen = () => Object.fromEntries(names.map((name) => [name, byId(name).value]));
    const follow = () => show(Object.fromEntries(new URLSearchParams(location.hash.slice(1))), true);
    const choose = (state) => show({ ...chosen(), ...state }, false);
    names.forEach((name) => byId(name).addEventListener("change", () => choose({})));
    window.addEventListener("hashchange", follow);
    follow();
    return choose;
  }

  // Buttons that step through a select.
  function stepper(selectId, buttonId, by) {
    byId(buttonId).addEventListener("click", () => {
      const select = byId(selectId);
      const count = select.options.length;
      if (!count) return;
      select.selectedIndex = (select.selectedIndex + by + count) % count;
      select.dispatchEvent(new Event("change"));
    });
  }

  return { page, byId, block, load, codesOf, rowsOf, picture, plot, clicks, say, element, fillTable, fillSelect, address, run, stepper };
})();
