// Draw Slack messages as Slack does: mrkdwn and blocks become elements, so that their text cannot add markup.
"use strict";

const slack = (() => {
  const EMOJI = {
    white_check_mark: "✅", x: "❌", warning: "⚠️", rotating_light: "🚨", red_circle: "🔴", large_green_circle: "🟢",
    large_yellow_circle: "🟡", large_blue_circle: "🔵", information_source: "ℹ️", bar_chart: "📊", chart_with_upwards_trend: "📈",
    bell: "🔔", eyes: "👀", wastebasket: "🗑️", key: "🔑", tada: "🎉", recycle: "♻️", hourglass: "⌛", sparkles: "✨",
    hammer_and_wrench: "🛠️", bust_in_silhouette: "👤", busts_in_silhouette: "👥", lock: "🔒", label: "🏷️", new: "🆕",
    arrows_counterclockwise: "🔄", fire: "🔥", page_facing_up: "📄", file_folder: "📁", link: "🔗", point_right: "👉",
  };
  const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
  const INLINE = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\s][^<>]*)>|(?<![\w*])\*([^*\n]+)\*(?!\w)|(?<![\w_])_([^_\n]+)_(?!\w)|(?<![\w~])~([^~\n]+)~(?!\w)|:([a-z0-9_+-]+):/;

  function make(name, kind, ...children) {
    const element = document.createElement(name);
    if (kind) element.className = kind;
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }

  const plain = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);

  function link(target, label) {
    if (!/^(https?:|mailto:)/i.test(target)) return document.createTextNode(plain(label || target));
    const element = make("a", "", plain(label || target));
    element.href = plain(target);
    if (element.origin !== location.origin) element.target = "_blank";
    element.rel = "noopener noreferrer";
    return element;
  }

  function angled(inside) {
    const [target, label] = [inside.split("|")[0], inside.includes("|") ? inside.slice(inside.indexOf("|") + 1) : ""];
    if (target.startsWith("!date^")) return document.createTextNode(plain(label));
    if (/^[!@#]/.test(target)) return make("span", "mention", (target[0] === "#" ? "#" : "@") + plain(label || target.slice(1)));
    return link(target, label);
  }

  // Return a string of mrkdwn as nodes.
  function mrkdwn(text) {
    const nodes = [];
    let rest = text;
    for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
      if (found.index) nodes.push(...broken(rest.slice(0, found.index)));
      const [whole, block, code, angle, bold, italic, struck, emoji] = found;
      if (block !== undefined) nodes.push(make("pre", "", plain(block.replace(/^\n|\n$/g, ""))));
      else if (code !== undefined) nodes.push(make("code", "", plain(code)));
      else if (angle !== undefined) nodes.push(angled(angle));
      else if (bold !== undefined) nodes.push(make("b", "", ...mrkdwn(bold)));
      else if (italic !== undefined) nodes.push(make("i", "", ...mrkdwn(italic)));
      else if (struck !== undefined) nodes.push(make("s", "", ...mrkdwn(struck)));
      else nodes.push(document.createTextNode(Object.hasOwn(EMOJI, emoji) ? EMOJI[emoji] : whole));
      rest = rest.slice(found.index + whole.length);
    }
    return rest ? [...nodes, ...broken(rest)] : nodes;
  }

  function broken(text) {
    return text.split("\n").flatMap((line, index) => (index ? [document.createElement("br"), plain(line)] : [plain(line)]));
  }

  // Return a text as elements; consecutive lines that begin with > are one quotation.
  function paragraphs(text) {
    const runs = [];
    for (const line of String(text).split("\n")) {
      const quoted = /^(&gt;|>) ?/.exec(line);
      const kind = quoted ? "quote" : "text";
      if (!runs.length || runs.at(-1).kind !== kind) runs.push({ kind, lines: [] });
      runs.at(-1).lines.push(quoted ? line.slice(quoted[0].length) : line);
    }
    if (String(text).includes("```")) return mrkdwn(String(text));
    return runs.map((run) => (run.kind === "quote" ? make("blockquote", "", ...mrkdwn(run.lines.join("\n"))) : make("div", "", ...mrkdwn(run.lines.join("\n")))));
  }

  function words(object) {
    if (!object || typeof object.text !== "string") return [];
    if (object.type === "mrkdwn") return paragraphs(object.text);
    if (object.emoji === false) return broken(object.text);
    return broken(object.text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => (Object.hasOwn(EMOJI, name) ? EMOJI[name] : whole)));
  }

  function picture(block, size) {
    const source = block.slack_file ? `/simulator/files/${encodeURIComponent(block.slack_file.id || "")}` : String(block.image_url || "");
    // Pictures of other hosts are not loaded.
    const address = new URL(source, location.href);
    if (address.origin !== location.origin) return make("span", "caption", `🖼 ${block.alt_text || address.href}`);
    const image = make("img", size);
    image.src = address.href;
    image.alt = block.alt_text || "";
    return image;
  }

  // The page sets `press`, which sends a press of a button to the app.
  const handlers = { press: () => {} };

  function element(item, block, message) {
    if (item.type === "image") return picture(item, "");
    if (item.type === "overflow") {
      const name = make("summary", "press", "⋯");
      name.setAttribute("aria-label", "More actions");
      const entries = item.options.map((option) => element({ ...option, type: "button", action_id: option.value }, block, message));
      const menu = make("details", "menu", name, make("div", "", ...entries));
      menu.addEventListener("click", (event) => { if (event.target.closest(".menu div .press")) menu.open = false; });
      return menu;
    }
    const name = ["press", ["primary", "danger"].includes(item.style) ? item.style : ""].join(" ");
    const press = (isLink) => handlers.press({ channel: message.channel, ts: message.ts, block_id: block.block_id || "", button: item.action_id || item.text.text }, isLink);
    if (item.url && /^https?:/i.test(item.url)) {
      const anchor = link(item.url, "");
      anchor.className = name;
      anchor.replaceChildren(...words(item.text));
      anchor.addEventListener("click", () => press(true));
      return anchor;
    }
    if (item.type !== "button") return make("span", name, `[${item.type}]`);
    const button = make("button", name, ...words(item.text));
    button.type = "button";
    button.addEventListener("click", () => press(false));
    return button;
  }

  const DRAW = {
    header: (block) => words(block.text),
    section: (block, item) => [
      make("div", "body", ...words(block.text), block.fields ? make("div", "fields", ...block.fields.map((field) => make("div", "", ...words(field)))) : null),
      block.accessory ? element(block.accessory, block, item) : null,
    ],
    context: (block) => block.elements.map((item) => (item.type === "image" ? picture(item, "") : make("span", "", ...words(item)))),
    divider: () => [],
    actions: (block, item) => block.elements.map((one) => element(one, block, item)),
    image: (block) => [block.title ? make("div", "caption", ...words(block.title)) : null, picture(block, "picture")],
    markdown: (block) => [make("div", "", ...broken(String(block.text)))],
    rich_text: (block) => [make("div", "", ...rich(block))],
    table: (block) => [table(block.rows)],
    data_table: (block) => [make("div", "caption", block.caption), table(block.rows)],
    data_visualization: (block) => [make("b", "", block.title), table(chartRows(block.chart))],
  };

  // Return rows of cells as a table; the first row is the header.
  function table(rows) {
    const cells = (row, name) => make("tr", "", ...row.map((cell) => make(name, "", ...(cell.type === "rich_text" ? rich(cell) : [String(cell.text ?? cell.value)]))));
    return make("table", "", make("thead", "", cells(rows[0], "th")), make("tbody", "", ...rows.slice(1).map((row) => cells(row, "td"))));
  }

  // Return the numbers of a chart as the rows of a table: a chart is not drawn.
  function chartRows(chart) {
    const text = (value) => ({ type: "raw_text", text: String(value ?? "") });
    if (chart.type === "pie") return [[text("pie"), text("")], ...chart.segments.map((segment) => [text(segment.label), text(segment.value)])];
    const value = (series, label) => (series.data.find((point) => point.label === label) || {}).value;
    const names = [text(chart.type), ...chart.series.map((series) => text(series.name))];
    return [names, ...chart.axis_config.categories.map((label) => [text(label), ...chart.series.map((series) => text(value(series, label)))])];
  }

  function rich(node) {
    if (node.type === "text") return [String(node.text)];
    if (node.type === "link") return [link(node.url, node.text)];
    if (node.type === "date") return [String(node.fallback || "")];
    if (node.type === "emoji") return [EMOJI[node.name] || `:${node.name}:`];
    const inner = (node.elements || []).flatMap(rich);
    return node.type === "rich_text_section" ? [make("div", "", ...inner)] : inner;
  }

  function blocks(list, item) {
    return list.map((block) => {
      const drawn = Object.hasOwn(DRAW, block.type) ? DRAW[block.type](block, item) : [make("span", "caption", `[${block.type}]`)];
      return make("div", `block ${block.type}`, ...drawn.filter(Boolean));
    });
  }

  function attachment(item, message) {
    const drawn = make("div", "attachment", ...blocks(item.blocks || [], message));
    if (/^#?[0-9a-f]{6}$/i.test(item.color || "")) drawn.style.borderColor = `#${item.color.replace("#", "")}`;
    if (item.title) drawn.append(make("b", "", item.title_link ? link(item.title_link, item.title) : plain(item.title)));
    if (item.text) drawn.append(...paragraphs(item.text));
    return drawn;
  }

  function file(item) {
    if (item.mimetype === "image/png") {
      const image = picture({ slack_file: { id: item.id }, alt_text: item.alt || item.title }, "picture");
      return make("div", "", make("span", "caption", item.title), image);
    }
    const anchor = make("a", "", `📄 ${item.title} (${item.size} bytes)`);
    anchor.href = item.url;
    return anchor;
  }

  // Return a message as an element, with its thread inside.
  function message(item, replies, showChannel) {
    const avatar = make("img", "avatar");
    avatar.src = "/static/icon.svg";
    avatar.alt = "";
    const time = make("time", "when", new Date(item.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }));
    time.dateTime = item.at;
    const who = make("div", "who", make("b", "", item.user), item.user === "Tableau Webhooks" ? make("span", "app", "APP") : null, time,
      showChannel ? make("span", "where", item.channel_name) : null, item.edited ? make("span", "edited", "(edited)") : null,
      item.ephemeral_for ? make("span", "edited", `only visible to ${item.ephemeral_for}`) : null,
      item.broadcast ? make("span", "edited", "also sent to the channel") : null);
    const text = item.blocks.length ? blocks(item.blocks, item) : paragraphs(item.text);
    const said = make("div", "said", ...(item.text || item.blocks.length ? text : []), ...item.attachments.map((one) => attachment(one, item)), ...item.files.map(file));
    const reactions = Object.entries(item.reactions).map(([name, count]) => make("span", "reaction", `${EMOJI[name] || `:${name}:`} ${count}`));
    const failed = item.press_error ? make("div", "failed", `⚠ ${item.press_error}`) : null;
    const drawn = make("article", "message", avatar, make("div", "", who, said, failed, reactions.length ? make("div", "reactions", ...reactions) : null));
    if (replies.length) {
      const count = make("div", "replies", replies.length === 1 ? "1 reply" : `${replies.length} replies`);
      drawn.append(make("div", "thread", count, ...replies.map((reply) => message(reply, [], false))));
    }
    return drawn;
  }

  return { make, link, message, handlers };
})();
