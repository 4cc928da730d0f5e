"use strict";

{
  const { page, byId } = bagpipe;
  const titles = new Map([...page.operators, ...page.positions, ...page.scales]);

  const fields = {
    op: () => page.operators,
    position: () => page.positions,
    scale: () => page.scales,
  };

  function draw({ op, position, scale }) {
    const view = page.views[op];
    const isEmpty = !view.positions;
    byId("empty").textContent = isEmpty ? `${titles.get(op)}: no correct prompts, so no effect was measured.` : "";
    byId("view").classList.toggle("hidden", isEmpty);
    document.title = `${titles.get(op)}, at “${titles.get(position)}” · ${page.title} · ${page.model}`;
    if (isEmpty) return;
    const { layers, components, limits, clipped, texts, ranked, [scale]: z } = view.positions[position];
    byId("view-name").textContent = `${titles.get(op)}, at “${titles.get(position)}”`;
    const note = scale === "log1p" && clipped ? ` ${clipped} means below -0.999 are drawn as -0.999.` : "";
    byId("n").textContent = `${view.n}, each with ${page.seeds} counterfactual prompts (seeds).${note}`;
    const [zmin, zmax] = limits[scale];
    const bar = { ...page.heatmap.colorbar, title: { ...page.heatmap.colorbar.title, text: `indirect effect, ${titles.get(scale)}` } };
    const trace = { ...page.heatmap, z, x: components, y: layers, customdata: texts, zmin, zmax, colorbar: bar };
    const layout = {
      ...page.layout,
      xaxis: { ...page.layout.xaxis, type: "category" },
      yaxis: { ...page.layout.yaxis, type: "category" },
    };
    bagpipe.plot("map", [trace], layout, `Indirect effect of every head and MLP, ${byId("view-name").textContent}; the table below lists the largest`);
    bagpipe.fillTable("ranked", ranked, [1, 2, 3]);
  }

  bagpipe.run(fields, draw);
}
