"use strict";

{
  const { page, byId } = bagpipe;
  const named = (values) => values.map((value) => [value, String(value)]);

  const fields = { layer: () => named(page.layers), head: () => named(page.heads) };

  async function draw({ layer, head }, isCurrent) {
    const block = await bagpipe.load(`layer_${layer}`);
    const found = block.heads[page.heads.indexOf(Number(head))];
    const z = await bagpipe.picture(found, block.x[1]);
    if (!isCurrent()) return;
    const name = `L${layer}H${head}`;
    document.title = `${name} · ${page.title} · ${page.model}`;
    byId("head-name").textContent = name;
    byId("words").textContent = `In logits: ${found.words}.`;
    const place = { x0: block.x[0], dx: 1, y0: block.y[0], dy: 1 };
    bagpipe.plot("picture", [{ ...page.heatmap, z, ...place }], page.layout, `OV map of ${name}, from every number to every number; the tables below list the strongest pairs`);
    const overview = { ...page.overview, z: page.tops, x: page.heads.map(String), y: page.layers.map(String) };
    bagpipe.plot("overview", [overview], page.overview_layout, "Largest size of a logit in every head's OV map");
    for (const id of ["largest", "smallest"]) bagpipe.fillTable(id, found[id], [0, 1, 2]);
  }

  const choose = bagpipe.run(fields, draw);
  bagpipe.clicks("overview", ({ x, y }) => choose({ layer: String(y), head: String(x) }));
  bagpipe.stepper("head", "previous", -1);
  bagpipe.stepper("head", "next", 1);
}
