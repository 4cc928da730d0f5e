"use strict";

{
  const { page, byId } = bagpipe;
  const titles = new Map([...page.operators, ...page.sources]);
  const named = (values) => values.map((value) => [value, String(value)]);

  const fields = {
    op: () => page.operators,
    layer: () => named(page.layers),
    head: () => named(page.heads),
    source: () => page.sources,
    scale: () => page.scales,
  };

  async function draw({ op, layer, head, source, scale }, isCurrent) {
    const [block, means] = await Promise.all([bagpipe.load(`${op}_${layer}`), bagpipe.load(`${op}_means`)]);
    const packed = block.pictures[source][page.heads.indexOf(Number(head))];
    const z = await bagpipe.picture(packed, block.x[1]);
    if (!isCurrent()) return;
    const what = `${titles.get(op)}, L${layer}H${head}, from “=” to ${source === "before" ? "what stands before the prompt" : `“${titles.get(source)}”`}`;
    document.title = `${what} · ${page.title} · ${page.model}`;
    byId("picture-name").textContent = what;
    byId("words").textContent = `Attention: ${packed.words}.`;
    const ends = scale === "whole" ? { zmin: 0, zmax: 1 } : {};
    const place = { x0: block.x[0], dx: 1, y0: block.y[0], dy: 1 };
    bagpipe.plot("picture", [{ ...page.heatmap, z, ...place, ...ends }], page.layout, `Attention of ${what}, over operand 1 and operand 2`);
    const x = page.heads.map(String);
    const y = page.layers.map(String);
    await bagpipe.plot("overview", [{ ...page.overview, z: means[source], x, y }], page.overview_layout, `Mean attention of every head, ${titles.get(op)}`);
  }

  const choose = bagpipe.run(fields, draw);
  bagpipe.clicks("overview", ({ x, y }) => choose({ layer: String(y), head: String(x) }));
}
