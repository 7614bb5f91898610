"use strict";
const filter = document.getElementById("filter");
const rows = Array.from(document.querySelectorAll("[data-row]"));
const texts = rows.map((row) => row.textContent.toLowerCase());

filter.hidden = false;
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  rows.forEach((row, index) => {
    row.classList.toggle("hidden", !words.every((word) => texts[index].includes(word)));
  });
});
