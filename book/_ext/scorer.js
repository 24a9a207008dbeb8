/* In what order the search lists what it finds: chapters, then pages about the book, the API, listings of its source. */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  /* A result is [page, title, anchor, description, score, file]; scores within a kind of page differ by less than this. */
  score: ([page, , , , score]) => {
    if (page.startsWith("_modules/")) return score - 2000;
    if (page === "api" || page.startsWith("api/")) return score - 1000;
    return page.includes("/") ? score + 1000 : score;
  },
};
