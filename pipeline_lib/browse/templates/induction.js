"use strict";

{
  const { page, byId } = bagpipe;
  const titles = new Map([...page.prompts, ...page.measures]);
  const first = (values, start) => [start, ...values.map(String).filter((value) => value !== start)];
  const named = (values) => values.map((value) => [value, value]);

  const fields = {
    prompt: () => page.prompts,
    layer: () => named(first(page.layers, page.start.layer)),
    head: () => named(first(page.heads, page.start.head)),
    measure: () => page.measures,
  };

  async function draw({ prompt, layer, head, measure }, isCurrent) {
    const block = await bagpipe.load(prompt);
    const { tokens } = block;
    const packed = block.pictures[page.layers.indexOf(Number(layer))][page.heads.indexOf(Number(head))];
    const z = await bagpipe.picture(packed, tokens.length);
    if (!isCurrent()) return;
    const what = `L${layer}H${head}, ${titles.get(prompt)}`;
    document.title = `${what} · ${page.title} · ${page.model}`;
    byId("picture-name").textContent = what;
    byId("words").textContent = `${page.words[`${layer}_${head}`]}.`;
    byId("overview-name").textContent = `All heads: ${titles.get(measure)}`;
    // a token may come twice: its place tells the occurrences apart, the label is the token
    const places = tokens.map((_, place) => place);
    const customdata = z.map((row, query) => row.map((_, key) => [`${tokens[query]} (${query})`, `${tokens[key]} (${key})`]));
    const ticks = { tickvals: places, ticktext: tokens, tickfont: { size: tokens.length > 24 ? 8 : 12 } };
    const { xaxis, yaxis } = page.layout;
    const layout = { ...page.layout, xaxis: { ...xaxis, ...ticks, tickangle: -90, side: "top" }, yaxis: { ...yaxis, ...ticks, autorange: "reversed" }, annotations: [], margin: { l: 70, r: 12, t: 90, b: 60 } };
    bagpipe.plot("picture", [{ ...page.heatmap, z, x: places, y: places, customdata }], layout, `Attention of ${what}`);
    const map = { ...page.map, z: page.overview[measure], x: page.heads.map(String), y: page.layers.map(String) };
    map.colorbar = { ...map.colorbar, title: { text: titles.get(measure), side: "bottom" } };
    await bagpipe.plot("overview", [map], page.map_layout, `${titles.get(measure)} of every head`);
  }

  const choose = bagpipe.run(fields, draw);
  bagpipe.clicks("overview", ({ x, y }) => choose({ layer: String(y), head: String(x) }));
}
