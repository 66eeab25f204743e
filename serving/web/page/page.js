// The web page: sends the form to the server's API, and shows genres and explanations.
"use strict";

const PEOPLE_FIELDS = ["directors", "writers", "cast"];
const GENRES_SHOWN_FIRST = 8;
const WORDS_PER_TABLE = 8;
const STATUS_INTERVAL_SECONDS = 10;
// Smaller effects on the log-odds are not listed.
const MIN_LISTED_EFFECT = 0.02;
// Words of the plot with a smaller share of the strongest effect are not highlighted.
const MIN_HIGHLIGHT_SHARE = 0.1;
// The bars have full width at the strongest effect, but not below this one.
const MIN_FULL_WIDTH_EFFECT = 0.1;

const EXAMPLES = [
  {
    title: "Nosferatu", year: 1922, runtime_minutes: 94, directors: ["F.W. Murnau"],
    writers: ["Henrik Galeen", "Bram Stoker"],
    cast: ["Max Schreck", "Gustav von Wangenheim", "Greta Schröder"],
    plot: "A young estate agent travels to a remote castle to sell a house to a count. His host " +
      "sleeps in a coffin by day and drinks blood by night. When the vampire sails to the " +
      "agent's town, the plague follows him, and only a woman's sacrifice can end the terror.",
  },
  {
    title: "Stagecoach", year: 1939, runtime_minutes: 96, directors: ["John Ford"],
    writers: ["Ernest Haycox", "Dudley Nichols"],
    cast: ["Claire Trevor", "John Wayne", "Andy Devine", "John Carradine"],
    plot: "Nine strangers cross the desert in a stagecoach while Apache warriors are on the " +
      "warpath. An outlaw who has broken out of jail rides with them to settle a score with " +
      "the gunmen who killed his father and brother.",
  },
  {
    title: "The General", year: 1926, runtime_minutes: 78,
    directors: ["Clyde Bruckman", "Buster Keaton"], writers: [],
    cast: ["Buster Keaton", "Marion Mack", "Glen Cavender"],
    plot: "When Union spies steal an engineer's beloved locomotive with his sweetheart aboard, he " +
      "chases them single-handed behind enemy lines, tripping over everything in his way, and " +
      "then has to outrun an army all the way home.",
  },
  {
    title: "Metropolis", year: 1927, runtime_minutes: 153, directors: ["Fritz Lang"],
    writers: ["Thea von Harbou"], cast: ["Brigitte Helm", "Alfred Abel", "Gustav Fröhlich"],
    plot: "In a future city the rich live in towers and the workers under the ground, among the " +
      "machines. An inventor gives a robot the face of the woman the workers trust, and sends " +
      "it to lead them into ruin.",
  },
  {
    label: "Only a plot",
    plot: "Two detectives follow a trail of letters through a rainy city to find the man who " +
      "kidnapped a judge's daughter, and begin to suspect each other.",
  },
];

const TABLE_EXAMPLE = `title,year,cast,plot
Nosferatu,1922,Max Schreck|Greta Schröder,"A vampire sails to a small town, and the plague follows him."
Stagecoach,1939,John Wayne|Claire Trevor,Strangers cross the desert in a stagecoach while warriors are on the warpath.
Metropolis,nineteen,,An inventor gives a robot the face of the woman the workers trust.
`;

const $ = (id) => document.getElementById(id);

// The last prediction: fields, texts, genres, explanation and the error of the explanation.
let prediction = null;
// Number of requests so far. A response is dropped if a newer request was sent meanwhile.
let requestCount = 0;
let selectedGenre = "";

function createElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Calls the API. Throws an object with `error` and possibly `field` if the call fails.
async function callApi(path, body) {
  let response;
  try {
    response = await fetch(path, body && { method: "POST", body: JSON.stringify(body) });
  } catch {
    throw { error: "the web server does not respond. Check that it is running." };
  }
  let content;
  try {
    content = await response.json();
  } catch {
    throw { error: `the web server failed with HTTP status ${response.status}` };
  }
  if (!response.ok) throw content;
  return content;
}

const toSentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
const formatPercent = (probability) => `${(100 * probability).toFixed(probability < 0.0995 ? 1 : 0)}\u00a0%`;
const formatSigned = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
const fieldLabel = (name) => document.querySelector(`label[for="${name}"]`)?.textContent ?? name;

// --- status of the model --------------------------------------------------------------------

async function pollStatus() {
  let text, className;
  try {
    const status = await callApi("api/status");
    text = `Model ${status.model}, version ${status.version}, is ready`;
    className = "status good";
  } catch (problem) {
    text = toSentence(problem.error);
    className = "status bad";
  }
  // Screen readers announce every change of the element, so it is left alone if nothing changed.
  if ($("status").textContent !== text) Object.assign($("status"), { textContent: text, className });
  setTimeout(pollStatus, 1000 * STATUS_INTERVAL_SECONDS);
}

// --- forms ----------------------------------------------------------------------------------

function readForm() {
  const fields = {};
  for (const control of $("movie-form").elements) {
    const value = control.value.trim();
    if (!control.name || !value) continue;
    fields[control.name] = PEOPLE_FIELDS.includes(control.name) ? value.split(/[\n|]/) : value;
  }
  return fields;
}

function fillForm(fields) {
  $("movie-form").reset();
  for (const control of $("movie-form").elements) {
    const value = fields[control.name];
    if (control.name && value !== undefined) {
      control.value = Array.isArray(value) ? value.join("\n") : value;
    }
  }
}

function clearError(formId) {
  $(`${formId}-error`).hidden = true;
  $(`${formId}-error`).textContent = "";
  for (const control of $(formId).querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
}

function showError(formId, { error, field }) {
  const message = $(`${formId}-error`);
  const control = field && $(formId).elements[field];
  message.textContent = toSentence(control ? error.replace(`${field}:`, `${fieldLabel(field)}:`) : error);
  message.hidden = false;
  if (control) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-errormessage", message.id);
    control.focus();
  }
}

// Runs an asynchronous function with the form's button marked as busy, and shows its error.
async function runBusy(formId, run) {
  const button = $(formId).querySelector("[type=submit]");
  // `disabled` would take the focus away from the button.
  button.setAttribute("aria-disabled", "true");
  clearError(formId);
  try {
    await run();
  } catch (problem) {
    if (!problem.error) throw problem;
    showError(formId, problem);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

// --- prediction of one movie ----------------------------------------------------------------

async function predictMovie() {
  const request = ++requestCount;
  const fields = readForm();
  await runBusy("movie-form", async () => {
    const { genres } = await callApi("api/predict", fields);
    if (request !== requestCount) return;
    prediction = { fields, genres, explanation: null, error: "" };
    selectedGenre = genres[0].name;
    showGenres();
    showExplanation();
    const predicted = genres.filter((genre) => genre.predicted).map((genre) => genre.name).join(", ");
    $("predicted-genres").textContent = predicted;
    $("announcement").textContent = `Predicted: ${predicted}.`;
    $("toggle-genres").hidden = genres.length <= GENRES_SHOWN_FIRST;
    $("result-hint").hidden = true;
    $("prediction").hidden = false;
    if (matchMedia("(max-width: 56rem)").matches) $("result").scrollIntoView();
  });
  if (request !== requestCount || prediction?.fields !== fields) return;
  try {
    prediction.explanation = await callApi("api/explain", fields);
  } catch (problem) {
    prediction.error = toSentence(problem.error);
  }
  if (request === requestCount) showExplanation();
}

function showGenres() {
  const showAll = $("toggle-genres").getAttribute("aria-expanded") === "true";
  const items = prediction.genres.map((genre, rank) => {
    const bar = createElement("span");
    bar.style.width = `${100 * genre.probability}%`;
    const track = createElement("span", { className: "probability-bar" }, bar);
    track.setAttribute("aria-hidden", "true");
    const button = createElement(
      "button",
      { type: "button", onclick: () => selectGenre(genre.name) },
      createElement("span", {}, genre.name),
      track,
      createElement("span", { className: "number" }, formatPercent(genre.probability)),
      genre.predicted ? createElement("span", { title: "predicted" }, "✓") : createElement("span"),
    );
    if (genre.predicted) {
      button.append(createElement("span", { className: "visually-hidden" }, "predicted"));
    }
    button.setAttribute("aria-pressed", String(genre.name === selectedGenre));
    const hidden = !showAll && rank >= GENRES_SHOWN_FIRST && !genre.predicted;
    return createElement("li", { hidden }, button);
  });
  $("genre-list").replaceChildren(...items);
}

function selectGenre(name) {
  selectedGenre = name;
  for (const button of $("genre-list").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.firstChild.textContent === name));
  }
  showExplanation();
}

// --- explanation ----------------------------------------------------------------------------

function showExplanation() {
  const { explanation, error } = prediction;
  $("explanation-heading").textContent = `What affects ${selectedGenre}`;
  $("explanation-note").textContent = error || explanationNote(explanation);
  $("effects").hidden = !explanation?.parts.length;
  if (explanation?.parts.length) showEffects(explanation);
}

function explanationNote(explanation) {
  if (!explanation) return "Computing the effect of each field, name and word…";
  if (!explanation.parts.length) return "There is nothing to explain, because all fields are empty.";
  const skipped = explanation.skipped_parts;
  return (
    `Positive numbers make ${selectedGenre} more probable, negative numbers less probable.` +
    (skipped ? ` The last ${skipped} words were not tried, because the time limit was reached.` : "")
  );
}

function showEffects({ genres, texts, parts: allParts }) {
  const column = genres.indexOf(selectedGenre);
  const parts = allParts.map(({ effects, ...part }) => ({ ...part, effect: effects[column] }));
  const byStrength = (a, b) => Math.abs(b.effect) - Math.abs(a.effect);
  const fields = parts.filter((part) => !part.text).sort(byStrength);
  const words = parts.filter((part) => part.text && Math.abs(part.effect) >= MIN_LISTED_EFFECT).sort(byStrength);
  const fieldRows = fields.map((part) => effectRow(fieldLabel(part.field), "", part.effect, strongestEffect(parts)));
  $("field-effects").replaceChildren(createElement("tbody", {}, ...fieldRows));
  $("word-effects").replaceChildren(
    effectTable("More probable because of", words.filter((part) => part.effect > 0), words),
    effectTable("Less probable because of", words.filter((part) => part.effect < 0), words),
  );
  showPlot(texts.plot, parts.filter((part) => part.field === "plot" && part.text));
}

const strongestEffect = (parts) =>
  Math.max(...parts.map((part) => Math.abs(part.effect)), MIN_FULL_WIDTH_EFFECT);

// `scaleParts` are the parts whose strongest effect has a bar of full width.
function effectTable(caption, parts, scaleParts) {
  const strongest = Math.abs(scaleParts[0]?.effect ?? 0);
  const rows = parts
    .slice(0, WORDS_PER_TABLE)
    .map((part) => effectRow(part.text, fieldLabel(part.field), part.effect, strongest));
  const emptyRow = createElement("tr", {}, createElement("td", { className: "hint" }, "no word or name"));
  return createElement(
    "table",
    { className: "effect-table" },
    createElement("caption", {}, caption),
    createElement("tbody", {}, ...(rows.length ? rows : [emptyRow])),
  );
}

function effectRow(text, field, effect, strongest) {
  const bar = createElement("span", { className: effect < 0 ? "decrease" : "increase" });
  bar.style.width = `${(100 * Math.abs(effect)) / strongest}%`;
  const head = createElement("th", { scope: "row" }, text);
  if (field) head.append(" ", createElement("span", { className: "field-name" }, field.toLowerCase()));
  const track = createElement("div", { className: "effect-bar" }, bar);
  track.setAttribute("aria-hidden", "true");
  return createElement(
    "tr",
    {},
    head,
    createElement("td", { className: "bar" }, track),
    createElement("td", { className: "number" }, formatSigned(effect)),
  );
}

// Highlights the words of the plot. Their spans count Unicode code points, as the array does.
function showPlot(plot, words) {
  const characters = Array.from(plot);
  const strongest = strongestEffect(words);
  const highlights = words
    .filter(({ effect }) => Math.abs(effect) >= MIN_HIGHLIGHT_SHARE * strongest)
    .flatMap(({ spans, effect }) => spans.map(([start, end]) => ({ start, end, effect })))
    .sort((a, b) => a.start - b.start);
  const pieces = [];
  let position = 0;
  for (const { start, end, effect } of highlights) {
    const className = `word ${effect < 0 ? "decrease" : "increase"}`;
    const mark = createElement(
      "mark",
      { className, title: formatSigned(effect) },
      characters.slice(start, end).join(""),
    );
    mark.style.setProperty("--strength", (0.12 + (0.5 * Math.abs(effect)) / strongest).toFixed(2));
    pieces.push(characters.slice(position, start).join(""), mark);
    position = end;
  }
  pieces.push(characters.slice(position).join(""));
  $("plot-effects").replaceChildren(...(plot ? pieces : [createElement("span", { className: "hint" }, "no plot")]));
}

// --- prediction of a table ------------------------------------------------------------------

let downloadUrl = "";

async function predictTable() {
  await runBusy("table-form", async () => {
    $("table-result").hidden = true;
    const { rows, csv } = await callApi("api/table", { csv: $("csv").value });
    const failed = rows.filter((row) => row.error).length;
    $("table-rows").tBodies[0].replaceChildren(...rows.map(tableRow));
    URL.revokeObjectURL(downloadUrl);
    downloadUrl = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    $("download").href = downloadUrl;
    $("table-result").hidden = false;
    $("table-summary").textContent = `Predicted ${rows.length - failed} of ${rows.length} movies.`;
    $("table-result").focus();
  });
}

function tableRow({ row, title, predicted, error }) {
  const genres = predicted.map((genre) => `${genre.name}\u00a0${formatPercent(genre.probability)}`).join(", ");
  return createElement(
    "tr",
    {},
    createElement("td", {}, String(row)),
    createElement("th", { scope: "row" }, title),
    createElement("td", { className: error ? "row-error" : "" }, error ? `Error: ${error}` : genres),
  );
}

// --- event handlers -------------------------------------------------------------------------

for (const example of EXAMPLES) {
  const onclick = () => {
    fillForm(example);
    predictMovie();
  };
  $("examples").append(createElement("button", { type: "button", onclick }, example.label ?? example.title));
}

// Returns an event handler that does nothing while the form's button is marked as busy.
const unlessBusy = (run) => (event) => {
  event.preventDefault();
  if (event.target.querySelector("[type=submit]").getAttribute("aria-disabled") !== "true") run();
};
$("movie-form").addEventListener("submit", unlessBusy(predictMovie));
$("movie-form").addEventListener("reset", () => clearError("movie-form"));
$("table-form").addEventListener("submit", unlessBusy(predictTable));
$("csv-example").addEventListener("click", () => {
  $("csv").value = TABLE_EXAMPLE;
  $("csv").focus();
});
$("toggle-genres").addEventListener("click", ({ target }) => {
  const showAll = target.getAttribute("aria-expanded") !== "true";
  target.setAttribute("aria-expanded", String(showAll));
  target.textContent = showAll ? "Show fewer genres" : "Show all genres";
  showGenres();
});
pollStatus();
