#![allow(clippy::all, clippy::pedantic, missing_docs, clippy::unwrap_used)]
mod common;
use common::World;
use serde_json::json;
#[test]
fn measure() {
    let mut world = World::load("dual-role.input.yaml");
    world.pool(0, |pool| { pool["spec"]["replicas"] = json!(300); pool["spec"]["roles"] = json!(["broker"]); });
    let mut extra = serde_json::to_value(&*world.observed.pools[0]).unwrap();
    extra["metadata"]["name"] = json!("ctl"); extra["spec"]["replicas"] = json!(3); extra["spec"]["roles"] = json!(["controller"]);
    world.observed.pools.insert(0, std::sync::Arc::new(serde_json::from_value(extra).unwrap()));
    let plan = world.plan();
    for o in plan.apply.iter().filter(|o| o.reference.kind == "StrimziPodSet") {
        let text = o.object.to_string();
        let pods = o.object["spec"]["pods"].as_array().unwrap().len();
        fn count(v: &serde_json::Value) -> (usize, usize) { match v {
            serde_json::Value::Object(m) => m.values().map(count).fold((1,1), |a,b|(a.0+b.0,a.1+b.1)),
            serde_json::Value::Array(m) => m.iter().map(count).fold((0,1), |a,b|(a.0+b.0,a.1+b.1)),
            _ => (0,1) } }
        let (objects, values) = count(&o.object);
        eprintln!("{} pods {pods} text {} objects {objects} values {values}", o.reference.name, text.len());
    }
    eprintln!("{:?}", plan.waiting_for.first());
}
