//! How things are called: model names and everything Rails derives from them, and global ids.

mod global_id;
mod inflector;
mod model_name;

pub use model_name::ModelName;
