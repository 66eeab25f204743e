"use strict";

const PEOPLE = ["directors", "writers", "cast"];
const SHOWN_AT_FIRST = 8;
const WORDS_SHOWN = 8;
const SECONDS_BETWEEN_LOOKS = 10;
// An effect below this on the log-odds is not told: it rounds to 0.0 beside the others.
const LEAST = 0.02;
// Words of the plot with less than this share of the strongest one's effect are not coloured.
const FAINTEST = 0.1;

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

let movie = null; // What was asked last: the fields, the answer, and later the explanation.
let asked = 0; // So that an answer that has been overtaken is not shown.
let chosen = "";

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

async function call(path, body) {
  let response;
  try {
    response = await fetch(path, body && { method: "POST", body: JSON.stringify(body) });
  } catch {
    throw { error: "this page's own server does not answer; is it still running?" };
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw { error: `something went wrong on this page's server (status ${response.status})` };
  }
  if (!response.ok) throw answer;
  return answer;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
const percent = (probability) => `${(100 * probability).toFixed(probability < 0.0995 ? 1 : 0)}\u00a0%`;
const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
const fieldName = (name) => document.querySelector(`label[for="${name}"]`)?.textContent ?? name;

// --- the state of the model -----------------------------------------------------------------

async function look() {
  let told, kind;
  try {
    const status = await call("api/status");
    told = `Model ${status.model}, version ${status.version}, is ready`;
    kind = "good";
  } catch (problem) {
    told = sentence(problem.error);
    kind = "bad";
  }
  // A screen reader reads each change aloud.
  if ($("status").textContent !== told) {
    $("status").textContent = told;
    $("status").className = `status ${kind}`;
  }
  setTimeout(look, 1000 * SECONDS_BETWEEN_LOOKS);
}

// --- one movie -------------------------------------------------------------------------------

function readForm() {
  const fields = {};
  for (const control of $("movie").elements) {
    const value = control.value.trim();
    if (!control.name || !value) continue;
    fields[control.name] = PEOPLE.includes(control.name) ? value.split(/[\n|]/) : value;
  }
  return fields;
}

function fillForm(fields) {
  $("movie").reset();
  for (const control of $("movie").elements) {
    const value = fields[control.name];
    if (control.name && value !== undefined) {
      control.value = Array.isArray(value) ? value.join("\n") : value;
    }
  }
}

function tellError(form, problem) {
  const place = $(`${form}-error`);
  place.hidden = !problem;
  for (const control of $(form).querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
  place.textContent = "";
  if (!problem) return;
  const control = problem.field && $(form).elements[problem.field];
  const told = control ? problem.error.replace(`${problem.field}:`, `${fieldName(problem.field)}:`) : problem.error;
  place.textContent = sentence(told);
  if (control) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-errormessage", place.id);
    control.focus();
  }
}

async function busy(form, work) {
  const button = $(form).querySelector("[type=submit]");
  // A button that is disabled loses the focus.
  button.setAttribute("aria-disabled", "true");
  tellError(form, null);
  try {
    await work();
  } catch (problem) {
    if (!problem.error) throw problem;
    tellError(form, problem);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

async function predict() {
  const mine = ++asked;
  const fields = readForm();
  await busy("movie", async () => {
    const { genres } = await call("api/predict", fields);
    if (mine !== asked) return;
    movie = { fields, genres, explanation: null, problem: "" };
    chosen = genres[0].name;
    showGenres();
    showWhy();
    const decided = genres.filter((genre) => genre.predicted).map((genre) => genre.name);
    $("decided").textContent = decided.join(", ");
    $("announcement").textContent = `Predicted: ${decided.join(", ")}.`;
    $("nothing").hidden = true;
    $("found").hidden = false;
    if (matchMedia("(max-width: 56rem)").matches) $("answer").scrollIntoView();
  });
  if (mine !== asked || !movie || movie.fields !== fields) return;
  try {
    movie.explanation = await call("api/explain", fields);
  } catch (problem) {
    movie.problem = sentence(problem.error);
  }
  if (mine === asked) showWhy();
}

function showGenres() {
  const all = $("all-genres").getAttribute("aria-expanded") === "true";
  const rows = movie.genres.map((genre, place) => {
    const bar = element("span");
    bar.style.width = `${100 * genre.probability}%`;
    const track = element("span", { className: "track" }, bar);
    track.setAttribute("aria-hidden", "true");
    const button = element(
      "button",
      { type: "button", onclick: () => choose(genre.name) },
      element("span", {}, genre.name),
      track,
      element("span", { className: "number" }, percent(genre.probability)),
      genre.predicted ? element("span", { title: "predicted" }, "✓") : element("span"),
    );
    if (genre.predicted) button.append(element("span", { className: "unseen" }, "predicted"));
    button.setAttribute("aria-pressed", String(genre.name === chosen));
    const hidden = !all && place >= SHOWN_AT_FIRST && !genre.predicted;
    return element("li", { hidden }, button);
  });
  $("genres").replaceChildren(...rows);
}

function choose(name) {
  chosen = name;
  for (const button of $("genres").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.firstChild.textContent === name));
  }
  showWhy();
}

// --- what moved it --------------------------------------------------------------------------

function showWhy() {
  $("why-heading").textContent = `What moved ${chosen}`;
  const found = movie.explanation;
  $("why-found").hidden = !found?.parts.length;
  if (movie.problem) {
    $("why-note").textContent = movie.problem;
  } else if (!found) {
    $("why-note").textContent = "Leaving out each field, name and word in turn…";
  } else if (!found.parts.length) {
    $("why-note").textContent = "Nothing is known of this movie: these are the odds of any movie.";
  } else {
    $("why-note").textContent = `Log-odds with each part less those without it: above 0 speaks for ${chosen}.${untried(found)}`;
    showEffects(found);
  }
}

const untried = ({ untried: parts }) =>
  parts ? ` There was no time to try the last ${parts} words.` : "";

function showEffects(found) {
  const place = found.genres.indexOf(chosen);
  const parts = found.parts.map(({ field, text, effects }) => ({ field, text, effect: effects[place] }));
  const strongest = Math.max(...parts.map((part) => Math.abs(part.effect)), 0.1);
  const byStrength = (one, other) => Math.abs(other.effect) - Math.abs(one.effect);
  const fields = parts.filter((part) => !part.text).sort(byStrength);
  const texts = parts.filter((part) => part.text && Math.abs(part.effect) >= LEAST).sort(byStrength);
  $("why-fields").replaceChildren(
    element("tbody", {}, ...fields.map((part) => row(fieldName(part.field), "", part.effect, strongest))),
  );
  const strongestText = Math.abs(texts[0]?.effect ?? 0);
  $("why-words").replaceChildren(
    side("Speak for it", texts.filter((part) => part.effect > 0), strongestText),
    side("Speak against it", texts.filter((part) => part.effect < 0), strongestText),
  );
  showPlot(parts.filter((part) => part.field === "plot" && part.text));
}

function side(caption, parts, strongest) {
  const rows = parts
    .slice(0, WORDS_SHOWN)
    .map((part) => row(part.text, fieldName(part.field), part.effect, strongest));
  const none = element("tr", {}, element("td", { className: "hint" }, "nothing noticeable"));
  return element(
    "table",
    { className: "effects" },
    element("caption", {}, caption),
    element("tbody", {}, ...(rows.length ? rows : [none])),
  );
}

function row(name, field, effect, strongest) {
  const bar = element("span", { className: effect < 0 ? "against" : "for" });
  bar.style.width = `${(100 * Math.abs(effect)) / strongest}%`;
  const head = element("th", { scope: "row" }, name);
  if (field) head.append(" ", element("span", { className: "field-name" }, field.toLowerCase()));
  const balance = element("div", { className: "balance" }, bar);
  balance.setAttribute("aria-hidden", "true");
  return element(
    "tr",
    {},
    head,
    element("td", { className: "bar" }, balance),
    element("td", { className: "number" }, signed(effect)),
  );
}

function showPlot(parts) {
  const strongest = Math.max(...parts.map((part) => Math.abs(part.effect)), 0.1);
  const effects = new Map(parts.map((part) => [part.text, part.effect]));
  const plot = movie.fields.plot ?? "";
  // The words as serving/web/explain.py finds them.
  const pieces = plot.split(/([\p{L}\p{N}]+(?:['’`´][\p{L}\p{N}]+)*)/u).map((piece) => {
    const effect = effects.get(piece.toLowerCase());
    if (effect === undefined || Math.abs(effect) < FAINTEST * strongest) return piece;
    const mark = element("mark", { className: `word ${effect < 0 ? "against" : "for"}` }, piece);
    mark.style.setProperty("--strength", (0.12 + (0.5 * Math.abs(effect)) / strongest).toFixed(2));
    mark.title = signed(effect);
    return mark;
  });
  $("why-plot").replaceChildren(...(plot ? pieces : [element("span", { className: "hint" }, "no plot")]));
}

// --- many movies -----------------------------------------------------------------------------

let download = "";

async function answerMany() {
  await busy("many", async () => {
    $("many-found").hidden = true;
    const { rows, csv } = await call("api/table", { csv: $("csv").value });
    const wrong = rows.filter((movie) => movie.error).length;
    $("many-table").tBodies[0].replaceChildren(...rows.map(tableRow));
    URL.revokeObjectURL(download);
    download = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    $("download").href = download;
    $("many-found").hidden = false;
    $("many-told").textContent = `${rows.length - wrong} of ${rows.length} movies answered.`;
    $("many-found").focus();
  });
}

function tableRow({ row, title, predicted, error }) {
  const genres = predicted.map((genre) => `${genre.name}\u00a0${percent(genre.probability)}`).join(", ");
  return element(
    "tr",
    {},
    element("td", {}, String(row)),
    element("th", { scope: "row" }, title),
    element("td", { className: error ? "wrong" : "" }, error ? `Not answered: ${error}` : genres),
  );
}

// --- the start ------------------------------------------------------------------------------

for (const example of EXAMPLES) {
  $("examples").append(
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          fillForm(example);
          predict();
        },
      },
      example.label ?? example.title,
    ),
  );
}

const unlessBusy = (work) => (event) => {
  event.preventDefault();
  if (event.target.querySelector("[type=submit]").getAttribute("aria-disabled") !== "true") work();
};
$("movie").addEventListener("submit", unlessBusy(predict));
$("movie").addEventListener("reset", () => tellError("movie", null));
$("many").addEventListener("submit", unlessBusy(answerMany));
$("csv-example").addEventListener("click", () => {
  $("csv").value = TABLE_EXAMPLE;
  $("csv").focus();
});
$("all-genres").addEventListener("click", ({ target }) => {
  const all = target.getAttribute("aria-expanded") !== "true";
  target.setAttribute("aria-expanded", String(all));
  target.textContent = all ? "Show the likeliest genres" : "Show all genres";
  showGenres();
});
look();
