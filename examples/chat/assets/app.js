// The demo's entry: the stock client from npm makes the pages live; the rest only shows what it does.
import "@hotwired/turbo-rails";
import "./forms.js";
import "./panel.js";
import "./typing.js";
import "./watching.js";
