// Brings a page to life by its data attributes. Whatever a page lacks is simply not done.

import { announce, mark } from './attention.js';
import { Connection, problem, Quiet, reason } from './bars.js';
import { followComposers, refreshComposers } from './composer.js';
import { dropDrafts, keepDrafts, restoreDrafts } from './drafts.js';
import { Follow } from './follow.js';
import { listenToKeys } from './keys.js';
import { connect } from './live.js';
import { hold, patch, remove } from './patch.js';
import { keepTime, localize, setClock } from './times.js';

const scroller = document.querySelector('[data-follow]');
const follow = scroller && new Follow(scroller, document.querySelector('[data-jump]'));
const quiet = new Quiet();

keepTime();
localize(document);
keepDrafts();
followComposers();
listenToKeys();
mark();
watchForms();
watchLoads();
watchButtons();
if (document.body.dataset.live) goLive(document.body.dataset);

// The stream

function goLive({ live: url, after, version }) {
  const connection = new Connection(() => stream.now());
  const stream = connect(url, {
    after,
    apply: (events) => {
      quiet.heard();
      sessionStorage.removeItem(`reset:${url}`);
      show(events.map((event) => event.data));
    },
    status: (state, detail) => connection.status(state, detail),
    on: {
      writing: (event) => write(JSON.parse(event.data)),
      remove: (event) => {
        remove(JSON.parse(event.data).id);
        mark();
      },
      hello: (event) => {
        const hello = JSON.parse(event.data);
        setClock(hello.server_time);
        if (version && hello.version && hello.version !== version) connection.outdated();
      },
      reset: () => reloadOnce(url),
    },
  });
}

function reloadOnce(url) {
  const key = `reset:${url}`;
  if (sessionStorage.getItem(key)) {
    problem('The live view lost its place. Reload the page to go on.');
    return;
  }
  sessionStorage.setItem(key, '1');
  location.reload();
}

function write({ id, html }) {
  quiet.heard();
  const place = document.getElementById(id);
  if (!place) return;
  (place.querySelector('[data-written]') ?? place).innerHTML = html;
  place.hidden = html === '';
  follow?.settle();
}

// Fragments

function show(fragments) {
  const arrived = patch(fragments, isWanted);
  const added = arrived.filter(({ old }) => !old);
  for (const { element, old } of arrived) {
    localize(element);
    restoreDrafts(element);
    const words = element.dataset.say;
    if (words && words !== old?.dataset.say) announce(words);
  }
  const grown = added.map(({ element }) => element).filter((element) => element.closest('#thread'));
  foldAbove(grown);
  if (grown.length) write({ id: 'writing', html: '' }); // what was being written has become an item
  refreshComposers();
  mark();
  follow?.grew(grown.length);
}

/** While the reader looks for runs the list shows what was found, and is looked for again when it changes. */
function isWanted(id) {
  const words = id === 'runs' && document.getElementById('find')?.value.trim();
  if (words) findAgain(words);
  return !words;
}

async function findAgain(words) {
  try {
    const response = await fetch(`/ui/runs?q=${encodeURIComponent(words)}`, { headers: { 'HX-Request': 'true' } });
    const found = response.ok && (await response.text());
    if (found && document.getElementById('find').value.trim() === words) showQuietly(found);
  } catch {
    // The list stays as it was found; the bar about the connection says why.
  }
}

/** Finished work above what has come becomes one line, unless the reader has had a hand in it. */
function foldAbove(grown) {
  for (const work of document.querySelectorAll('#thread details[data-fold][open]:not([data-held])')) {
    const last = grown.findLast((element) => !work.contains(element));
    if (!last || !(work.compareDocumentPosition(last) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
    work.open = false;
    hold(work);
  }
}

/** `data-fragments`: a link or button fetches on click, a `<details>` when it is first opened. */
function watchLoads() {
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-fragments], button[data-fragments]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    load(link);
  });
  document.addEventListener('toggle', ({ target }) => {
    if (target.open && target.dataset.fragments) load(target);
  }, { capture: true });
  document.querySelectorAll('details[open][data-fragments]').forEach(load);
}

async function load(element) {
  const url = element.dataset.fragments;
  delete element.dataset.fragments; // twice would come twice
  element.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(url, { headers: { 'HX-Request': 'true' } });
    const body = await response.text();
    if (!response.ok) throw new Error(reason(response.status, response.headers.get('content-type') ?? '', body));
    const inThread = follow && element.closest('[data-follow]') && !element.matches('details');
    const read = inThread && (element.closest('details') ?? document.querySelector('#thread > *'));
    if (read) follow.holding(read, () => showQuietly(body));
    else showQuietly(body);
  } catch (error) {
    element.dataset.fragments = url;
    problem(error instanceof TypeError ? 'The service cannot be reached. Try again.' : error.message);
  } finally {
    element.removeAttribute('aria-busy');
  }
}

function showQuietly(body) {
  for (const { element } of patch([body])) localize(element);
}

// Forms (htmx sends them)

function watchForms() {
  document.addEventListener('htmx:after:request', ({ detail: { ctx } }) => {
    const form = ctx.sourceElement.closest('form');
    const { status, headers } = ctx.response;
    if (status < 400) sent(form, ctx);
    else if (!ctx.sourceElement.hasAttribute(`hx-status:${status}`)) {
      problem(reason(status, headers.get('content-type') ?? '', ctx.text));
    }
  });
  document.addEventListener('htmx:error', ({ detail: { ctx } }) => {
    if (ctx && !ctx.response) problem('Not sent: the service cannot be reached. What you typed is kept.');
  });
  // What was looked for may come when the reader is in the list already.
  let focused = null;
  document.addEventListener('htmx:before:swap', () => {
    focused = document.activeElement?.closest('#runs a.run')?.getAttribute('href');
  });
  document.addEventListener('htmx:after:swap', () => {
    if (focused) document.querySelector(`#runs a.run[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    localize(document);
    refreshComposers();
  });
}

function sent(form, ctx) {
  if (!form || ctx.request.method === 'GET') return;
  dropDrafts(form);
  if (!form.matches('[data-composer]') || ctx.hx.redirect) return;
  for (const field of form.querySelectorAll('textarea')) field.value = '';
  renameMessage(form);
  restoreDrafts(form);
  refreshComposers();
  follow?.toEnd();
}

/** What is sent next is another message. Not `randomUUID`, which plain http has not. */
function renameMessage(form) {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  const id = form.elements.message_id;
  if (id) id.value = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// A page that comes back by the Back button still holds the name of what was sent from it.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) document.querySelectorAll('form[data-composer]').forEach(renameMessage);
});

// Small things

function watchButtons() {
  document.addEventListener('click', (event) => {
    const copy = event.target.closest('[data-copy]');
    if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => announce('Copied'));
    const tab = event.target.closest('a[data-tab]');
    if (tab && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      openTab(tab);
    }
    const aim = event.target.closest('a[href^="#"]')?.hash.slice(1);
    if (aim && document.getElementById(aim)?.matches('textarea, input')) {
      event.preventDefault();
      document.getElementById(aim).focus(); // a link alone only scrolls there
    }
  });
  document.addEventListener('input', ({ target }) => {
    // Who types an answer of their own has chosen it.
    const own = target.closest?.('.choice.other')?.querySelector('[type=radio], [type=checkbox]');
    if (own && own !== target) own.checked = target.value !== '';
  });
}

function openTab(tab) {
  document.body.dataset.tab = tab.dataset.tab;
  history.replaceState(null, '', tab.href);
  for (const other of document.querySelectorAll('a[data-tab]')) {
    if (other.dataset.tab === tab.dataset.tab) other.setAttribute('aria-current', 'page');
    else other.removeAttribute('aria-current');
  }
  follow?.settle();
}
