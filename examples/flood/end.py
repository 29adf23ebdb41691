"""Ends what began: the tasks are done, the event is handled, verified and scored."""

from office import UPPER, get, node, post, until

for task in get("/api/tasks", state="open"):
    done = node.patch(f"/api/tasks/{task['id']}", json={"state": "done", "result": "已执行 carried out"})
    done.raise_for_status()
print(len(get("/api/tasks", state="open")), "tasks open")

until(lambda: get("/api/alerts", source=UPPER, state="ended"))
(begun,) = get("/api/events", rule="water.flood_limit", stage="assigned")
for step in (
    {"stage": "handled", "note": "开闸预泄至汛限以下 released to below the flood limit"},
    {"stage": "verified"},
    {"stage": "scored", "score": 92},
):
    event = post(f"/api/events/{begun['id']}/steps", **step)
    print(event["stage"], *([event["score"]] if event["score"] else []))
