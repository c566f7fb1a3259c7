import "@hotwired/turbo-rails";
import "./tunnel-count.js";
