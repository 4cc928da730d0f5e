"use strict";

// Snakemake's report shows its entries from data: addresses, where relative links lead nowhere.
if (location.protocol === "data:") {
  document.getElementById("embedded").hidden = false;
  for (const link of document.querySelectorAll("a")) link.removeAttribute("href");
}
document.body.dataset.ready = "yes";
