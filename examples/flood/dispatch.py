"""Plans both reservoirs together, approves the plan and issues it: every order becomes a task."""

from office import get, node, post, run

done = run("water.dispatch", division="421125", step_hours="3")
result = done["result"]
cut = {name: round(value) for name, value in result["peak_cut_percent"].items()}
print(f"{result['reservoirs']} reservoirs, gap {result['gap_percent']:.1f} %, peak cut in % {cut}")
(page,) = [each["href"] for each in done["files"] if each["name"] == "plan.en.md"]
print([line.removeprefix("## ") for line in node.get(page).text.splitlines() if line.startswith("## ")])

for state in ("approved", "issued"):
    said = post(f"/api/water/plans/{result['plan']}/steps", state=state)
    print(f"{said['state']}: {said['tasks']} tasks")
tasks = [each for each in get("/api/tasks", state="open") if each.get("partOfPlan") == result["plan"]]
for task in sorted(tasks, key=lambda each: (each["dueAt"]["@value"], each["title"]))[:3]:
    who, _, what = task["title"].partition("自 ")
    print(f"{task['assignee']}: {who} … {what.partition(' ')[2]}")
