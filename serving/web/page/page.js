// The web page: sends the form to the server's API, and shows genres and explanations.
"use strict";

const PEOPLE_FIELDS = ["directors", "writers", "cast"];
const GENRES_SHOWN_FIRST = 8;
const WORDS_PER_TABLE = 8;
const STATUS_INTERVAL_SECONDS = 10;
const MAX_FILE_BYTES = 4 << 20;
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

// The last prediction: fields, genres, explanation and the error of the explanation.
let prediction = null;
// The text or file whose movies the table shows.
let tableSource = null;
// Number of requests so far. A response is dropped if a newer request was sent meanwhile.
let requestCount = 0;
let selectedGenre = "";

function createElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Calls the API, with POST if there is a body. If the call fails, throws an object with `error` and,
// if fields of a movie are wrong, `fields` with the reason for each.
async function callApi(path, body) {
  let response;
  try {
    response = await fetch(path, body === undefined ? {} : { method: "POST", body });
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

// Ends a message with a full stop, and begins it with a capital unless it begins with a file name.
const toSentence = (text) =>
  text.replace(/^[a-z]+ /, (word) => word[0].toUpperCase() + word.slice(1)) + (/[.?!]$/.test(text) ? "" : ".");
const formatPercent = (probability) => `${(100 * probability).toFixed(probability < 0.0995 ? 1 : 0)}%`;
const logOdds = (probability) => Math.log(probability / (1 - probability));
const fieldLabel = (name) => document.querySelector(`label[for="${name}"]`)?.textContent ?? name;

// Returns "93% → 71%", with as many decimals as the difference needs.
function formatChange(before, after) {
  const [fewest, most] = Math.min(before, after) < 0.0995 ? [1, 3] : [0, 2];
  let digits = fewest;
  const format = (probability) => (100 * probability).toFixed(digits);
  while (digits < most && format(before) === format(after)) digits++;
  if (format(before) === format(after)) digits = fewest;
  return `${format(before)}% → ${format(after)}%`;
}

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
  for (const message of $(formId).querySelectorAll(".field-error")) message.remove();
  for (const control of $(formId).querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
}

// Shows an error below the form, and the reason for each wrong field at the field.
function showError(formId, { error, fields = {} }) {
  const controls = [...$(formId).elements].filter((control) => Object.hasOwn(fields, control.name));
  for (const control of controls) {
    const id = `${control.id}-error`;
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-errormessage", id);
    control.after(createElement("p", { id, className: "field-error" }, toSentence(fields[control.name])));
  }
  const labels = controls.map((control) => fieldLabel(control.name)).join(", ");
  $(`${formId}-error`).textContent = labels ? `Correct these fields: ${labels}.` : toSentence(error);
  $(`${formId}-error`).hidden = false;
  controls[0]?.focus();
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
    const { genres, warnings } = await callApi("api/predict", JSON.stringify(fields));
    if (request !== requestCount) return;
    prediction = { fields, genres, explanation: null, error: "" };
    selectedGenre = genres[0].name;
    showGenres();
    showExplanation();
    const predicted = genres.filter((genre) => genre.predicted).map((genre) => genre.name).join(", ");
    $("predicted-genres").textContent = predicted;
    $("announcement").textContent = [`Predicted: ${predicted}.`, ...warnings].join(" ");
    $("warnings").replaceChildren(...warnings.map((warning) => createElement("p", {}, warning)));
    $("warnings").hidden = !warnings.length;
    showStale();
    $("toggle-genres").hidden = genres.length <= GENRES_SHOWN_FIRST;
    $("result-hint").hidden = true;
    $("prediction").hidden = false;
    if (matchMedia("(max-width: 56rem)").matches) $("result").scrollIntoView();
  });
  if (request !== requestCount || prediction?.fields !== fields) return;
  try {
    prediction.explanation = await callApi("api/explain", JSON.stringify(fields));
  } catch (problem) {
    prediction.error = toSentence(problem.error);
  }
  if (request === requestCount) showExplanation();
}

// Says whether the form has another movie than the prediction.
function showStale() {
  const isStale = prediction && JSON.stringify(readForm()) !== JSON.stringify(prediction.fields);
  $("stale").textContent = isStale
    ? "The form has changed since this prediction. Select “Predict genres” to predict again."
    : "";
}

function genresHint(genres) {
  if (genres[0].threshold === null) return "The probability of each genre. ✓ marks the predicted genres.";
  const reached = genres.some(({ probability, threshold }) => probability >= threshold);
  return (
    "The probability of each genre. The line on the bar is its threshold: a genre whose probability " +
    "reaches it is predicted (✓)." +
    (reached ? "" : " Here none does, so the genre that comes nearest is predicted.")
  );
}

function showGenres() {
  $("genres-hint").textContent = genresHint(prediction.genres);
  const showAll = $("toggle-genres").getAttribute("aria-expanded") === "true";
  const items = prediction.genres.map((genre, rank) => {
    const bar = createElement("span");
    bar.style.width = `${100 * genre.probability}%`;
    const track = createElement("span", { className: "probability-bar" }, bar);
    track.setAttribute("aria-hidden", "true");
    const threshold = genre.threshold === null ? "" : `threshold ${formatPercent(genre.threshold)}`;
    if (threshold) {
      const line = createElement("span", { className: "threshold" });
      line.style.left = `${100 * genre.threshold}%`;
      track.append(line);
    }
    const button = createElement(
      "button",
      { type: "button", title: threshold, onclick: () => selectGenre(genre.name) },
      createElement("span", {}, genre.name),
      track,
      createElement("span", { className: "number" }, formatPercent(genre.probability)),
      createElement("span", {}, genre.predicted ? "✓" : ""),
      createElement("span", { className: "visually-hidden" }, genre.predicted ? "predicted" : "not predicted"),
    );
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
  const { genres, probabilities, noise, skipped_parts: skipped } = explanation;
  const column = genres.indexOf(selectedGenre);
  const probability = probabilities[column];
  const moved = 1 / (1 + Math.exp(noise[column] - logOdds(probability)));
  return (
    `The probability of ${selectedGenre} with and without each part of the movie. ` +
    `Grey changes are as small as those of punctuation (${formatChange(probability, moved)}).` +
    (skipped ? ` The last ${skipped} words were not tried, because the time limit was reached.` : "")
  );
}

function showEffects({ genres, probabilities, noise, texts, parts: allParts }) {
  const column = genres.indexOf(selectedGenre);
  const parts = allParts
    .map((part) => ({
      ...part,
      effect: part.effects[column],
      change: formatChange(probabilities[column], part.probabilities[column]),
      isNoise: Math.abs(part.effects[column]) <= noise[column],
    }))
    .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
  const fields = parts.filter((part) => part.kind === "field");
  const others = parts.filter((part) => part.kind !== "field");
  $("field-effects").replaceChildren(effectTable("Fields", fields, parts));
  const wordTable = (caption, words) => effectTable(caption, words.slice(0, WORDS_PER_TABLE), others);
  $("word-effects").replaceChildren(
    wordTable("More probable because of", others.filter((part) => part.effect > 0)),
    wordTable("Less probable because of", others.filter((part) => part.effect < 0)),
  );
  showPlot(texts.plot, others.filter((part) => part.field === "plot" && part.kind === "word"));
}

const strongestEffect = (parts) =>
  Math.max(...parts.map((part) => Math.abs(part.effect)), MIN_FULL_WIDTH_EFFECT);

// `scaleParts` are the parts whose strongest effect has a bar of full width.
function effectTable(caption, parts, scaleParts) {
  const rows = parts.map((part) => effectRow(part, strongestEffect(scaleParts)));
  const emptyRow = createElement("tr", {}, createElement("td", { className: "hint" }, "no word or name"));
  const heads = createElement(
    "tr",
    {},
    createElement("th", { scope: "col", colSpan: 2 }, caption),
    createElement("th", { scope: "col", className: "number" }, rows.length ? "with → without" : ""),
  );
  return createElement(
    "table",
    { className: "effect-table" },
    createElement("thead", {}, heads),
    createElement("tbody", {}, ...(rows.length ? rows : [emptyRow])),
  );
}

function effectRow({ kind, field, text, effect, change, isNoise }, strongest) {
  const noise = isNoise ? " noise" : "";
  const bar = createElement("span", { className: (effect < 0 ? "decrease" : "increase") + noise });
  bar.style.width = `${(100 * Math.abs(effect)) / strongest}%`;
  const head = createElement("th", { scope: "row" });
  if (kind === "field") head.append(fieldLabel(field));
  else head.append(kind === "name" || kind === "word" ? text : kind, " ");
  if (kind === "function words") head.title = text;
  if (kind !== "field") {
    head.append(createElement("span", { className: "field-name" }, fieldLabel(field).toLowerCase()));
  }
  const track = createElement("div", { className: "effect-bar" }, bar);
  track.setAttribute("aria-hidden", "true");
  return createElement(
    "tr",
    { className: noise.trim() },
    head,
    createElement("td", { className: "bar" }, track),
    createElement("td", { className: "number" }, change),
  );
}

// Highlights the words of the plot. Their spans count Unicode code points, as the array does.
function showPlot(plot, words) {
  const characters = Array.from(plot);
  const strongest = strongestEffect(words);
  const highlights = words
    .filter(({ effect, isNoise }) => !isNoise && Math.abs(effect) >= MIN_HIGHLIGHT_SHARE * strongest)
    .flatMap(({ spans, ...part }) => spans.map(([start, end]) => ({ ...part, start, end })))
    .sort((a, b) => a.start - b.start);
  const pieces = [];
  let position = 0;
  for (const { start, end, effect, change } of highlights) {
    const className = `word ${effect < 0 ? "decrease" : "increase"}`;
    const mark = createElement(
      "mark",
      { className, title: change },
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

// The chosen file, or else the text.
const readTableForm = () => $("table-file").files[0] ?? $("csv").value;

async function readFile(file) {
  if (file.size > MAX_FILE_BYTES) {
    throw { error: `${file.name} is larger than 4 MB. Use the command “ordained predict” for larger files.` };
  }
  try {
    return await file.arrayBuffer();
  } catch {
    throw { error: `${file.name} cannot be read. Choose it again.` };
  }
}

async function predictTable() {
  await runBusy("table-form", async () => {
    $("table-result").hidden = true;
    const source = readTableForm();
    const isFile = source instanceof File;
    const path = isFile ? `api/table?name=${encodeURIComponent(source.name)}` : "api/table";
    const { rows, csv, format, note } = await callApi(path, isFile ? await readFile(source) : source);
    tableSource = source;
    const failed = rows.filter((row) => row.error).length;
    const hasIds = rows.some((row) => row.tconst);
    $("table-rows").querySelector(".id").hidden = !hasIds;
    $("table-rows").tBodies[0].replaceChildren(...rows.map((row) => tableRow(row, hasIds)));
    URL.revokeObjectURL(downloadUrl);
    downloadUrl = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    $("download").href = downloadUrl;
    $("table-result").hidden = false;
    const predicted = `Predicted ${rows.length - failed} of ${rows.length} movies (${format}).`;
    $("table-summary").textContent = `${predicted} ${note}`.trim();
    showTableSource();
    $("table-result").focus();
  });
}

// Says which of text and file is read, and whether the result belongs to it.
function showTableSource() {
  const hasBoth = $("table-file").files.length && $("csv").value;
  $("file-note").textContent = hasBoth ? "The file is read, and not the text. Edit the text to read it instead." : "";
  const isStale = tableSource !== null && readTableForm() !== tableSource;
  $("table-stale").textContent = isStale
    ? "The table has changed since this prediction. Select “Predict all genres” to predict again."
    : "";
}

function tableRow({ row, tconst, title, predicted, warnings, error, note }, hasIds) {
  const genres = predicted.map((genre) => `${genre.name}\u00a0${formatPercent(genre.probability)}`).join(", ");
  const remarks = [note && `Not read: ${note}`, warnings.length && `Warning: ${warnings.join(", ")}`];
  return createElement(
    "tr",
    {},
    createElement("td", {}, String(row)),
    createElement("td", { hidden: !hasIds }, tconst),
    createElement("th", { scope: "row" }, title),
    createElement(
      "td",
      { className: error ? "row-error" : "" },
      error ? `Error: ${error}` : genres,
      ...remarks.filter(Boolean).map((remark) => createElement("p", { className: "row-error" }, remark)),
    ),
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
$("movie-form").addEventListener("input", showStale);
$("table-form").addEventListener("submit", unlessBusy(predictTable));
$("table-form").addEventListener("input", showTableSource);
$("csv").addEventListener("input", () => {
  $("table-file").value = "";
});
$("csv-example").addEventListener("click", () => {
  $("csv").value = TABLE_EXAMPLE;
  $("table-file").value = "";
  showTableSource();
  $("csv").focus();
});
for (const form of [$("movie-form"), $("table-form")]) {
  form.addEventListener("reset", () => {
    clearError(form.id);
    // The controls are still filled while the event is handled.
    setTimeout(form.id === "movie-form" ? showStale : showTableSource);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
}
$("toggle-genres").addEventListener("click", ({ target }) => {
  const showAll = target.getAttribute("aria-expanded") !== "true";
  target.setAttribute("aria-expanded", String(showAll));
  target.textContent = showAll ? "Show fewer genres" : "Show all genres";
  showGenres();
});
pollStatus();
